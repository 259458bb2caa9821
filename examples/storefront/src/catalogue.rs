//! What the shop sells. A fixed list: the release machinery is what the example is about.

use serde::Serialize;

/// One product.
#[derive(Debug, Serialize)]
pub(crate) struct Product {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    /// In cents, so that totals are exact.
    pub(crate) price_cents: u64,
}

pub(crate) const PRODUCTS: &[Product] = &[
    product("kettle", "Gooseneck kettle", 6_900),
    product("grinder", "Hand grinder", 8_450),
    product("mug", "Stoneware mug", 1_800),
    product("scale", "Pocket scale", 2_950),
    product("filters", "Paper filters, 100", 650),
    product("beans", "House blend, 500 g", 1_250),
];

const fn product(id: &'static str, name: &'static str, price_cents: u64) -> Product {
    Product {
        id,
        name,
        price_cents,
    }
}

pub(crate) fn find(id: &str) -> Option<&'static Product> {
    PRODUCTS.iter().find(|product| product.id == id)
}

/// The shop's front page.
pub(crate) fn page(version: &str) -> String {
    let mut rows = String::new();
    for product in PRODUCTS {
        rows.push_str(&format!(
            "<li><a href=\"/products/{}\">{}</a> <span>{}.{:02}</span></li>\n",
            product.id,
            product.name,
            product.price_cents / 100,
            product.price_cents % 100
        ));
    }
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Storefront</title>\
         <style>body{{font:16px/1.5 system-ui;margin:3rem auto;max-width:32rem}}\
         li{{display:flex;justify-content:space-between}}ul{{padding:0}}</style></head>\n\
         <body><h1>Storefront</h1>\n<ul>\n{rows}</ul>\n<footer>version {}</footer></body></html>\n",
        escape(version)
    )
}

/// The version comes from a file, so it is not trusted as HTML.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
