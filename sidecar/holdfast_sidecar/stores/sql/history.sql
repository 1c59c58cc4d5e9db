-- History rows of $1 from row $2, at most $3.
SELECT r.event
  FROM {s}.instances i JOIN {s}.history r ON r.key = i.key
 WHERE i.id = $1 AND r.row >= $2
 ORDER BY r.row LIMIT $3
