-- All of each instance of $1, as one snapshot, in the order asked for.
SELECT i.metadata, i.custom_status,
       ARRAY(SELECT message FROM {s}.inbox r WHERE r.key = i.key ORDER BY row) AS inbox,
       ARRAY(SELECT event FROM {s}.history r WHERE r.key = i.key ORDER BY row) AS history,
       ARRAY(SELECT seq FROM {s}.activities r WHERE r.key = i.key ORDER BY seq, generation) AS seqs,
       ARRAY(SELECT generation FROM {s}.activities r WHERE r.key = i.key ORDER BY seq, generation) AS generations,
       ARRAY(SELECT request FROM {s}.activities r WHERE r.key = i.key ORDER BY seq, generation) AS requests,
       ARRAY(SELECT name FROM {s}.reminders r WHERE r.key = i.key ORDER BY name) AS names,
       ARRAY(SELECT due FROM {s}.reminders r WHERE r.key = i.key ORDER BY name) AS dues,
       ARRAY(SELECT data FROM {s}.reminders r WHERE r.key = i.key ORDER BY name) AS datas
  FROM unnest($1::text[]) WITH ORDINALITY AS c (id, item)
  LEFT JOIN {s}.instances i ON i.id = c.id
 ORDER BY c.item
