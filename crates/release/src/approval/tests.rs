//! Every rule alone, and together.
