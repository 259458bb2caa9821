fn main() {
    let worker = std::thread::Builder::new().name("worker".into()).spawn(|| { let e: Result<(), String> = Err("no luck".into()); e.expect("it must work") });
    worker.unwrap().join().ok();
}
