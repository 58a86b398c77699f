//! (being written) The verbs of operators.
