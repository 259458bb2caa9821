//! Every refusal of the witness protocol.
