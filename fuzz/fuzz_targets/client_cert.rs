//! libFuzzer's runner of [`procura_fuzz::client_cert`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    procura_fuzz::client_cert(data);
});
