-- Raises fences to $2; answers which partitions of $1 are held. Waits for the commits that hold the rows.
WITH held AS MATERIALIZED (
  SELECT partition, epoch FROM {s}.fences WHERE partition = ANY ($1::int[]) ORDER BY partition FOR UPDATE
), raised AS (
  UPDATE {s}.fences f SET epoch = $2 FROM held h WHERE f.partition = h.partition AND h.epoch < $2
)
SELECT partition FROM held WHERE epoch <= $2
