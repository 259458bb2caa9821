#[cfg(test)]
mod tests {
    #[test] fn a() {}
    #[test] fn b() {}
    #[test] #[ignore] fn c() {}
    #[test] fn d() {}
    #[test] #[ignore] fn e() {}
}
