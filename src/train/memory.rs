//! What the system's allocator does with the memory of a step.

/// Bytes of the largest allocation that comes from memory that was freed before; glibc allows no more.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGEST: i32 = 32 << 20;

/// Has freed memory stay with this process. Every operation of a step returns megabytes that are new, and the next step needs
/// as much again: glibc would return them to the kernel, which hands out cleared pages one by one. All threads share one
/// arena, since those of other threads are trimmed all the same. Elsewhere it does nothing.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    for (parameter, value) in
        [(libc::M_MMAP_THRESHOLD, LARGEST), (libc::M_TRIM_THRESHOLD, i32::MAX), (libc::M_ARENA_MAX, 1)]
    {
        // SAFETY: it sets a number in the allocator, under its lock.
        unsafe { libc::mallopt(parameter, value) };
    }
}
