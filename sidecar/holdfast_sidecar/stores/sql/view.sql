-- What queries show of the instances of $1, in the order asked for; the rows of input and output if $2.
-- The start is the first inbox row while the history is empty, then history row 1; the end is the last row of history.
SELECT i.metadata, i.custom_status,
       CASE WHEN NOT $2 THEN NULL
            WHEN i.history_length = 0 THEN
              (SELECT message FROM {s}.inbox r WHERE r.key = i.key AND r.row = i.inbox_first)
            ELSE (SELECT event FROM {s}.history r WHERE r.key = i.key AND r.row = 1) END AS start,
       CASE WHEN $2 AND i.status IN (1, 3, 4, 5) THEN
              (SELECT event FROM {s}.history r WHERE r.key = i.key AND r.row = i.history_length - 1) END AS "end"
  FROM unnest($1::text[]) WITH ORDINALITY AS c (id, item)
  LEFT JOIN {s}.instances i ON i.id = c.id
 ORDER BY c.item
