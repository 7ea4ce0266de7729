"""Who may do what: tokens, the gate that every request passes, and the audit log."""
