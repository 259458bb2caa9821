//! gonogo-storefront.
