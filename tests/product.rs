//! The matrix product for learning: every kernel gives the bits of plain chains, natively and in Chromium.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

use peargpt::kernels::product::{self, Operand, ProductKernel, Size, add_product};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

/// Those of this machine.
fn kernels() -> Vec<&'static ProductKernel> {
    #[cfg(target_arch = "wasm32")]
    return product::kernels().chain([product::relaxed()]).collect();
    #[cfg(not(target_arch = "wasm32"))]
    product::kernels().collect()
}

fn numbers(count: usize, seed: u32) -> Vec<f32> {
    (0..count as u32).map(|i| ((i + seed).wrapping_mul(2_654_435_761) >> 8) as f32 / 8_388_608.0 - 1.0).collect()
}

/// One chain for each number, which begins with what is there.
fn expected(out: &mut [f32], first: &[f32], second: &[f32], size: Size, is_fused: bool) {
    let Size { rows, columns, depth } = size;
    for row in 0..rows {
        for column in 0..columns {
            let sum = &mut out[row * columns + column];
            for step in 0..depth {
                let (a, b) = (first[row * depth + step], second[step * columns + column]);
                *sum = if is_fused { a.mul_add(b, *sum) } else { *sum + a * b };
            }
        }
    }
}

fn transposed(matrix: &[f32], columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|column| matrix.iter().skip(column).step_by(columns).copied()).collect()
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|number| number.to_bits()).collect()
}

fn expect_chains(kernel: &'static ProductKernel) {
    product::select(kernel);
    let sizes = [(1, 1, 1), (6, 16, 8), (7, 17, 300), (12, 32, 256), (100, 33, 257), (13, 70, 5), (97, 6, 513)];
    for (rows, columns, depth) in sizes {
        let size = Size { rows, columns, depth };
        let (first, second) = (numbers(rows * depth, 1), numbers(depth * columns, 2));
        let begin = numbers(rows * columns, 3);
        let mut wanted = begin.clone();
        expected(&mut wanted, &first, &second, size, (kernel.is_fused)());
        let (turned_first, turned_second) = (transposed(&first, depth), transposed(&second, columns));
        let firsts = [Operand::rows(&first, depth), Operand::rows(&turned_first, rows).transposed()];
        let seconds = [Operand::rows(&second, columns), Operand::rows(&turned_second, depth).transposed()];
        for (index, first) in firsts.into_iter().enumerate() {
            for (other, second) in seconds.into_iter().enumerate() {
                let mut found = begin.clone();
                add_product(&mut found, columns, first, second, size);
                assert_eq!(bits(&found), bits(&wanted), "{} {size:?} {index} {other}", kernel.name);
            }
        }
    }
}

#[test]
fn every_kernel_gives_the_bits_of_plain_chains() {
    let kernels = kernels();
    assert!(!kernels.is_empty());
    kernels.into_iter().for_each(expect_chains);
}

#[test]
fn rows_that_lie_apart_leave_what_is_between() {
    let (first, second) = (numbers(3 * 5, 1), numbers(5 * 4, 2));
    let mut out = vec![9.0; 3 * 10];
    add_product(
        &mut out,
        10,
        Operand::rows(&first, 5),
        Operand::rows(&second, 4),
        Size { rows: 3, columns: 4, depth: 5 },
    );
    for row in out.chunks(10) {
        assert!(row[..4].iter().all(|number| *number != 9.0) && row[4..].iter().all(|number| *number == 9.0));
    }
    add_product(&mut out, 10, Operand::rows(&[], 5), Operand::rows(&[], 4), Size { rows: 0, columns: 4, depth: 5 });
}
