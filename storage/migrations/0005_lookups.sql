-- Heads stay for ever, so these held nothing up but commits: a lookup for each row, a third of the server's work (m).
ALTER TABLE diagram_op DROP CONSTRAINT diagram_op_diagram_fkey;
ALTER TABLE diagram_outcome DROP CONSTRAINT diagram_outcome_diagram_fkey;
