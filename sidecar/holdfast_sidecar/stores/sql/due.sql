-- Reminders of the partitions $1 after the place ($2, $3, $4) and before $5, at most $6, in order.
SELECT due, instance_id, name, data
  FROM {s}.reminders
 WHERE (due, instance_id, name) > ($2, $3, $4) AND due < $5 AND partition = ANY ($1::int[])
 ORDER BY due, instance_id, name LIMIT $6
