/* SPDX-License-Identifier: MIT */
/*
 * system_call.h - system calls of FPU-SAFE code. Not the C library's functions: those could be
 * bound lazily, by code that uses SSE. All return 0 or more, or -errno.
 */
#ifndef RING1_HOST_LINUX_SYSTEM_CALL_H
#define RING1_HOST_LINUX_SYSTEM_CALL_H

#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

static inline long system_call3(long number, uint64_t a, uint64_t b, uint64_t c)
{
    long ret = number;

    __asm__ volatile("syscall" : "+a"(ret) : "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return ret;
}

static inline long map_fixed(uint64_t at, uint64_t len, int prot, int flags, int fd,
                             uint64_t offset)
{
    register long r10 __asm__("r10") = flags | MAP_FIXED;
    register long r8 __asm__("r8") = fd;
    register uint64_t r9 __asm__("r9") = offset;
    long ret = SYS_mmap;

    __asm__ volatile("syscall"
                     : "+a"(ret)
                     : "D"(at), "S"(len), "d"((long)prot), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return ret == (long)at ? 0 : ret;
}

#endif
