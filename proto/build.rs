//! Compiles the .proto files with a compiler written in Rust, so that building needs no `protoc`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let descriptors = protox::compile(["muster/v1/fleet.proto"], ["proto"])?;
    tonic_prost_build::configure().bytes(".muster.v1").compile_fds(descriptors)?;
    println!("cargo:rerun-if-changed=proto");
    Ok(())
}
