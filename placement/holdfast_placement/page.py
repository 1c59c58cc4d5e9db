"""The operator's page: plain HTML from a `State`, no script, reloads itself. Pure."""

from html import escape

from holdfast_placement.state import AppState, State, shown_at
from holdfast_placement.stats import Move
from holdfast_placement.table import AppKey

CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_RELOAD_S = 2
_STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #8884; vertical-align: top; }
th { font-weight: 600; } td.n { font-variant-numeric: tabular-nums; }
.bad { color: #c33; font-weight: 600; } .dim { opacity: .65; }
meter { width: 8rem; }
"""


def render(state: State) -> str:
    apps = "".join(_app(app, each) for app, each in state.apps.items()) or "<p>No sidecar has joined yet.</p>"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="refresh" content="{_RELOAD_S}"><title>Holdfast placement</title>'
        f"<style>{_STYLE}</style></head><body>{_head(state)}{apps}{_moves(state.moves)}"
        '<p class="dim">The same as JSON: <a href="/api/v1/state">/api/v1/state</a>, '
        '<a href="/metrics">/metrics</a>.</p></body></html>'
    )


def _head(state: State) -> str:
    leader = "this one" if state.is_leader else escape(state.leader.replica_id) if state.leader else None
    etcd = "answers" if state.etcd_silence_s < 3 else f"silent for {state.etcd_silence_s:.0f} s, the last tables stay"
    return "<h1>Holdfast placement</h1>" + _rows(
        [
            ("Replica", escape(state.replica_id)),
            ("Leader", leader or '<span class="bad">none</span>'),
            ("etcd", etcd if state.etcd_silence_s < 3 else f'<span class="bad">{etcd}</span>'),
            ("Sidecars connected here", str(state.hosts_connected)),
        ]
    )


def _app(app: AppKey, state: AppState) -> str:
    unowned = f', <span class="bad">{state.unowned} without an owner</span>' if state.unowned else ""
    most = max((host.partitions for host in state.hosts), default=0) or 1
    lines = "".join(
        f"<tr><td>{escape(host.id)}</td><td>{escape(host.address)}</td>"
        f"<td>{'serving' if host.serving else 'not serving'}</td>"
        f'<td class="n"><meter max="{most}" value="{host.partitions}"></meter> {host.partitions}</td>'
        f'<td>{escape(host.replica_id)}</td><td class="dim">{shown_at(host.joined_at_ms)}</td></tr>'
        for host in state.hosts
    )
    return (
        f"<h2>{escape(str(app))}</h2><p>{state.partitions} partitions{unowned}, table version {state.version}</p>"
        f"<table>{_header('Host', 'Address', 'State', 'Partitions', 'Connected to', 'Joined')}{lines}</table>"
    )


def _moves(moves: tuple[Move, ...]) -> str:
    if not moves:
        return ""
    lines = "".join(
        f'<tr><td class="dim">{shown_at(move.at_ms)}</td><td>{escape(str(move.app))}</td><td>{move.version}</td>'
        f"<td>{_change(move)}</td><td>{move.partitions}</td></tr>"
        for move in moves[:20]
    )
    return f"<h2>Recent moves</h2><table>{_header('At', 'App', 'Version', 'Why', 'Partitions')}{lines}</table>"


def _change(move: Move) -> str:
    parts = [f"+{escape(host)}" for host in move.joined] + [f"−{escape(host)}" for host in move.left]
    return " ".join(parts) or "restarted, or fenced anew"


def _header(*names: str) -> str:
    return "<tr>" + "".join(f"<th>{name}</th>" for name in names) + "</tr>"


def _rows(rows: list[tuple[str, str]]) -> str:
    return "<table>" + "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in rows) + "</table>"
