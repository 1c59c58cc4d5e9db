-- A batch of guarded transactions: answers per item 0 applied, 1 fenced, 2 conflict. No id occurs twice in a batch.
-- {s} is the schema, {f} the function's name, which ends in a digest of this text: versions of it live side by side.
-- Locks are taken in one order everywhere (fences by partition, then instances by id), so that batches cannot deadlock.
CREATE OR REPLACE FUNCTION {s}.{f}(
  partitions int[], epochs bigint[], ids text[], expected bigint[],
  versions bigint[], -- 0: delete
  flags int[], -- 1 sets custom status, 2 resets history, 4 clears activities
  statuses smallint[], names text[], created bigint[], completed bigint[], lengths int[], inbox_firsts int[],
  metadatas text[], customs bytea[],
  clears boolean, -- whether any item deletes, resets or clears
  consumed_item int[], consumed_first int[], consumed_stop int[],
  event_item int[], event_row int[], event_data bytea[],
  message_item int[], message_row int[], message_data bytea[],
  gone_item int[], gone_seq bigint[], gone_generation bigint[],
  activity_item int[], activity_seq bigint[], activity_generation bigint[], activity_data bytea[],
  dropped_item int[], dropped_name text[],
  reminder_item int[], reminder_name text[], reminder_due text[], reminder_data bytea[]
) RETURNS smallint[] LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  outcomes smallint[];
  keys bigint[];
  deleted bigint[];
  reset_ bigint[];
  idle bigint[];
BEGIN
  -- Shared locks until the end: who raises a fence waits for the commits that have seen it lower.
  PERFORM FROM {s}.fences WHERE partition = ANY (partitions) ORDER BY partition FOR SHARE;

  WITH held AS MATERIALIZED (
    SELECT id, key, version FROM {s}.instances WHERE id = ANY (ids) ORDER BY id FOR UPDATE
  )
  SELECT array_agg(
           (CASE WHEN f.epoch > c.epoch THEN 1 WHEN coalesce(h.version, 0) <> c.wanted THEN 2 ELSE 0 END)::smallint
           ORDER BY c.item),
         array_agg(coalesce(h.key, 0) ORDER BY c.item)
    INTO outcomes, keys
    FROM unnest(partitions, epochs, ids, expected) WITH ORDINALITY AS c (partition, epoch, id, wanted, item)
    JOIN {s}.fences f ON f.partition = c.partition
    LEFT JOIN held h ON h.id = c.id;

  IF 0 = ANY (expected) THEN
    WITH fresh AS (
      INSERT INTO {s}.instances (partition, id, version, status, name, created_at, completed_at, history_length,
                                 inbox_first, metadata, custom_status)
      SELECT c.partition, c.id, c.version, c.status, c.name, c.created_at, c.completed_at, c.length, c.inbox_first,
             c.metadata, c.custom
        FROM unnest(partitions, ids, expected, versions, statuses, names, created, completed, lengths, inbox_firsts,
                    metadatas, customs)
             WITH ORDINALITY AS c (partition, id, wanted, version, status, name, created_at, completed_at, length,
                                   inbox_first, metadata, custom, item)
       WHERE outcomes[c.item] = 0 AND c.wanted = 0 AND c.version > 0
       ORDER BY c.id
      ON CONFLICT (id) DO NOTHING
      RETURNING id, key
    )
    SELECT array_agg((CASE WHEN outcomes[c.item] = 0 AND c.wanted = 0 AND c.version > 0 AND n.key IS NULL THEN 2
                           ELSE outcomes[c.item] END)::smallint ORDER BY c.item),
           array_agg(coalesce(n.key, keys[c.item]) ORDER BY c.item)
      INTO outcomes, keys
      FROM unnest(ids, expected, versions) WITH ORDINALITY AS c (id, wanted, version, item)
      LEFT JOIN fresh n ON n.id = c.id;
  END IF;

  IF 0 < ANY (expected) THEN
    UPDATE {s}.instances i
       SET version = c.version, status = c.status, name = c.name, created_at = c.created_at,
           completed_at = c.completed_at, history_length = c.length, inbox_first = c.inbox_first,
           metadata = c.metadata,
           custom_status = CASE WHEN c.flags & 1 <> 0 THEN c.custom ELSE i.custom_status END
      FROM unnest(expected, versions, flags, statuses, names, created, completed, lengths, inbox_firsts, metadatas,
                  customs)
           WITH ORDINALITY AS c (wanted, version, flags, status, name, created_at, completed_at, length, inbox_first,
                                 metadata, custom, item)
     WHERE i.key = keys[c.item] AND outcomes[c.item] = 0 AND c.wanted > 0 AND c.version > 0;
  END IF;

  IF clears THEN
    SELECT array_agg(keys[c.item]) FILTER (WHERE c.version = 0),
           array_agg(keys[c.item]) FILTER (WHERE c.version = 0 OR c.flags & 2 <> 0),
           array_agg(keys[c.item]) FILTER (WHERE c.version = 0 OR c.flags & 4 <> 0)
      INTO deleted, reset_, idle
      FROM unnest(versions, flags) WITH ORDINALITY AS c (version, flags, item)
     WHERE outcomes[c.item] = 0 AND keys[c.item] > 0;
    DELETE FROM {s}.history WHERE key = ANY (reset_);
    DELETE FROM {s}.activities WHERE key = ANY (idle);
    DELETE FROM {s}.reminders WHERE key = ANY (deleted);
    DELETE FROM {s}.inbox WHERE key = ANY (deleted);
    DELETE FROM {s}.instances WHERE key = ANY (deleted);
  END IF;

  IF cardinality(consumed_item) > 0 THEN
    DELETE FROM {s}.inbox d USING unnest(consumed_item, consumed_first, consumed_stop) AS c (item, first, stop)
     WHERE outcomes[c.item] = 0 AND d.key = keys[c.item] AND d.row >= c.first AND d.row < c.stop;
  END IF;
  IF cardinality(event_item) > 0 THEN
    INSERT INTO {s}.history (key, row, event)
    SELECT keys[c.item], c.row, c.data FROM unnest(event_item, event_row, event_data) AS c (item, row, data)
     WHERE outcomes[c.item] = 0
    ON CONFLICT (key, row) DO UPDATE SET event = excluded.event;
  END IF;
  IF cardinality(message_item) > 0 THEN
    INSERT INTO {s}.inbox (key, row, message)
    SELECT keys[c.item], c.row, c.data FROM unnest(message_item, message_row, message_data) AS c (item, row, data)
     WHERE outcomes[c.item] = 0
    ON CONFLICT (key, row) DO UPDATE SET message = excluded.message;
  END IF;
  IF cardinality(gone_item) > 0 THEN
    DELETE FROM {s}.activities d USING unnest(gone_item, gone_seq, gone_generation) AS c (item, seq, generation)
     WHERE outcomes[c.item] = 0 AND d.key = keys[c.item] AND d.seq = c.seq AND d.generation = c.generation;
  END IF;
  IF cardinality(activity_item) > 0 THEN
    INSERT INTO {s}.activities (key, seq, generation, request)
    SELECT keys[c.item], c.seq, c.generation, c.data
      FROM unnest(activity_item, activity_seq, activity_generation, activity_data) AS c (item, seq, generation, data)
     WHERE outcomes[c.item] = 0
    ON CONFLICT (key, seq, generation) DO UPDATE SET request = excluded.request;
  END IF;
  IF cardinality(dropped_item) > 0 THEN
    DELETE FROM {s}.reminders d USING unnest(dropped_item, dropped_name) AS c (item, name)
     WHERE outcomes[c.item] = 0 AND d.key = keys[c.item] AND d.name = c.name;
  END IF;
  IF cardinality(reminder_item) > 0 THEN
    INSERT INTO {s}.reminders (key, name, due, instance_id, partition, data)
    SELECT keys[c.item], c.name, c.due, ids[c.item], partitions[c.item], c.data
      FROM unnest(reminder_item, reminder_name, reminder_due, reminder_data) AS c (item, name, due, data)
     WHERE outcomes[c.item] = 0
    ON CONFLICT (key, name) DO UPDATE SET due = excluded.due, data = excluded.data;
  END IF;
  RETURN outcomes;
END $$;
