/* SPDX-License-Identifier: MIT */
/* window.c - see window.h. Compile with -mgeneral-regs-only. */
#define _GNU_SOURCE
#include "host/linux/window.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/linux/system_call.h"
#include "host/linux/vm_host.h"
#include "shadow-mmu/window.h"

#ifdef __SSE__
#error "compile window.c with -mgeneral-regs-only: guest FPU registers are live in it"
#endif

#define WINDOW (1ull << 32)
/* An operand lies at most 2 GiB, and the width of an access, outside of the window's 4 GiB. */
#define GUARD           (3ull << 30)
#define ALIGN           (2ull << 20)
#define HWCAP2_FSGSBASE 2u
/* Mappings in all windows together: half of what Linux gives a process by default (65530). */
#define RUNS 32768u
/* What the monitor and the C library may need besides the windows. */
#define OTHER_MAPPINGS 2048u

/* ---- struct vcpu_host ---- */

static uint64_t address(const struct linux_host *h, unsigned n, gla_t gla)
{
    return h->cpu.window_base[n] + gla;
}

/* Nothing can be accessed there, and nobody else gets it. A host that grants no mapping more (its
 * count, ulimit -v) still takes the rights away from those that are there; only a hole, which a
 * mapping left that failed half-way, is beyond that. */
static int make_empty(uint64_t at, uint64_t len)
{
    int err =
        (int)map_fixed(at, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return err ? (int)system_call3(SYS_mprotect, at, len, PROT_NONE) : 0;
}

/* For the user, who is told once (loop.c). */
static int refused(struct linux_host *h, int err)
{
    if (err && !h->window.refused)
        h->window.refused = -err;
    return err;
}

static int window_unmap(void *opaque, unsigned n, gla_t gla, uint64_t len)
{
    struct linux_host *h = opaque;
    uint64_t at = address(h, n, gla);
    int err = make_empty(at, len);

    if (err && len == WINDOW) { /* what makes room first may be granted */
        system_call3(SYS_munmap, at, len, 0);
        err = make_empty(at, len);
    }
    return refused(h, err);
}

/* All pages of a process are user pages, and the kernel looks after its TLBs. Guest code is not
 * fetched here: nothing asks for HOST_MAP_EXEC, and the sandbox would not grant it. */
static int prot_of(unsigned rights)
{
    return rights & HOST_MAP_WRITE ? PROT_READ | PROT_WRITE : PROT_READ;
}

static int window_map(void *opaque, unsigned n, gla_t gla, uint64_t from, uint64_t len,
                      unsigned rights)
{
    struct linux_host *h = opaque;
    uint64_t at = address(h, n, gla);
    int err =
        refused(h, (int)map_fixed(at, len, prot_of(rights), MAP_SHARED, h->window.ram_fd, from));

    /* The kernel may have given up half-way: nobody else must get this address space. */
    if (err && make_empty(at, len))
        window_unmap(h, n, 0, WINDOW);
    return err;
}

static int window_protect(void *opaque, unsigned n, gla_t gla, uint64_t len, unsigned rights)
{
    return refused(opaque, (int)system_call3(SYS_mprotect, address(opaque, n, gla), len,
                                             (uint64_t)prot_of(rights)));
}

/* ---- creation: the guest does not run yet, libc is fine ---- */

/* Does the kernel allow this process as many mappings as the windows may need? */
static bool mappings_suffice(void)
{
    char text[32] = "";
    int fd = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0) /* no /proc: the default is enough */
        return true;
    n = read(fd, text, sizeof text - 1);
    close(fd);
    return n <= 0 || strtoul(text, NULL, 10) >= RUNS + OTHER_MAPPINGS;
}

void host_windows_create(struct host_windows *w, struct vcpu_host *h, int ram_fd, unsigned count)
{
    size_t size = GUARD + count * (WINDOW + GUARD) + ALIGN;
    void *p = MAP_FAILED;

    *w = (struct host_windows){.ram_fd = ram_fd};
    h->window_count = 0;
    if (mappings_suffice())
        p = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return;
    w->reserved = p;
    w->size = size;
    for (unsigned n = 0; n < count; n++)
        h->window_base[n] =
            (((uintptr_t)p + ALIGN - 1) & ~(ALIGN - 1)) + GUARD + n * (WINDOW + GUARD);
    h->window_count = count;
    h->window_runs = RUNS;
    /* The C library's threads use FS. */
    h->gs_base_free = getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE;
    h->window_map = window_map;
    h->window_unmap = window_unmap;
    h->window_protect = window_protect;
}

void host_windows_destroy(struct host_windows *w)
{
    if (w->reserved)
        munmap(w->reserved, w->size);
    *w = (struct host_windows){.ram_fd = -1};
}
