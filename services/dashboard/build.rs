//! Takes the check of a trail out of the page that does it without a server.

const VERIFY: &str = "../../docs/verify.html";

fn main() {
    println!("cargo::rerun-if-changed={VERIFY}");
    let page = std::fs::read_to_string(VERIFY).expect("the page stands in docs");
    let check = page.split("<script>").nth(1).and_then(|rest| rest.split("</script>").next());
    let out = std::env::var("OUT_DIR").expect("cargo says where what is made goes");
    std::fs::write(format!("{out}/verify.js"), check.expect("the page's first script checks"))
        .expect("cargo's directory can be written");
}
