//! libFuzzer's runner of [`procura_fuzz::dpop`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    procura_fuzz::dpop(data);
});
