"""What a room may import, as a contract for import-linter; `.importlinter` holds the table.

    rooms        modules (each with everything below) that the contract is about
    without      modules below them that are rooms of their own, and whose doors are not open by themselves
    may_import   modules of ours (each with everything below) that they may import besides their own room
    libraries    what they may import from outside the standard library; `*` for anything
    never        modules of the standard library they may not import

Only direct imports are looked at: what a room may import is a room with a contract of its own. A room that is
not there breaks no rule.
"""

import sys
from collections.abc import Collection
from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class RoomContract(Contract):
    rooms: Any = fields.SetField(subfield=fields.StringField())
    without: Any = fields.SetField(subfield=fields.StringField(), required=False)
    may_import: Any = fields.SetField(subfield=fields.StringField(), required=False)
    libraries: Any = fields.SetField(subfield=fields.StringField(), required=False)
    never: Any = fields.SetField(subfield=fields.StringField(), required=False)

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        broken = list[str]()
        for module in sorted(graph.modules):
            if _is_within(module, self.rooms) and not _is_within(module, self.without or ()):
                broken += [
                    f"{module} imports {imported} (line {_line(graph, module, imported)})"
                    for imported in sorted(graph.find_modules_directly_imported_by(module))
                    if not self._allows(graph, imported)
                ]
        return ContractCheck(kept=not broken, metadata={"broken": broken})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for line in check.metadata["broken"]:
            output.print_error(line)

    def _allows(self, graph: ImportGraph, imported: str) -> bool:
        if not graph.is_module_squashed(imported):
            own = _is_within(imported, self.rooms) and not _is_within(imported, self.without or ())
            return own or _is_within(imported, self.may_import or ())
        if imported.split(".", maxsplit=1)[0] in sys.stdlib_module_names:
            return not _is_within(imported, self.never or ())
        libraries = self.libraries or set[str]()
        return "*" in libraries or _is_within(imported, libraries)


def _is_within(module: str, roots: Collection[str]) -> bool:
    return any(module == root or module.startswith(root + ".") for root in roots)


def _line(graph: ImportGraph, module: str, imported: str) -> int:
    details = graph.get_import_details(importer=module, imported=imported)
    return details[0]["line_number"]
