-- Undos and redos that had no effect: they are read with every undo stack, and are few among all outcomes.
CREATE INDEX diagram_outcome_futile ON diagram_outcome (diagram, epoch, vector)
    WHERE verdict = 'no_op' AND kind IN ('undo', 'redo');
