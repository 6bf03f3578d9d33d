/* SPDX-License-Identifier: MIT */
/*
 * host_fpu.c - the FPU rule of include/ring1/host.h and of struct chardev: what the core calls in
 * the middle of a guest's x87, MMX or SSE instruction leaves these registers as it finds them.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/linux/code_arena.h"
#include "host/linux/console.h"
#include "host/linux/guest_ram.h"
#include "host/linux/vm_host.h"
#include "include/ring1/trace.h"
#include "monitor/cpu/vcpu.h"

/* FXSAVE's image, 32-bit layout. */
struct image {
    _Alignas(16) uint8_t bytes[512];
};
#define IMAGE_USED 416u /* up to XMM15; the rest is not written */

/* Calls fn(arg[0], ... arg[5]) with `in` in the registers. before, after: as FXSAVE shows them. */
void call_between(const uint64_t arg[6], uint64_t fn, const struct image *in, struct image *before,
                  struct image *after);
__asm__(".text\n"
        ".globl call_between\n"
        "call_between:\n\t"
        "push %rbx\n\t"
        "push %r12\n\t"
        "push %rbp\n\t"
        "mov %rsi, %rax\n\t"
        "mov %rcx, %r12\n\t"
        "mov %r8, %rbx\n\t"
        "mov %rdi, %rbp\n\t"
        "fxrstor (%rdx)\n\t"
        "fxsave (%r12)\n\t"
        "mov (%rbp), %rdi\n\t"
        "mov 8(%rbp), %rsi\n\t"
        "mov 16(%rbp), %rdx\n\t"
        "mov 24(%rbp), %rcx\n\t"
        "mov 32(%rbp), %r8\n\t"
        "mov 40(%rbp), %r9\n\t"
        "call *%rax\n\t"
        "fxsave (%rbx)\n\t"
        "fninit\n\t"
        "push $0x1f80\n\t"
        "ldmxcsr (%rsp)\n\t"
        "pop %rax\n\t"
        "pop %rbp\n\t"
        "pop %r12\n\t"
        "pop %rbx\n\t"
        "ret\n");

/* Every register in use, an x87 exception pending, and no control register as C has it. */
static struct image pattern(void)
{
    struct image p;

    __asm__ volatile("fxsave %0" : "=m"(p)); /* for MXCSR_MASK */
    memset(p.bytes, 0, 28);
    for (unsigned n = 32; n < IMAGE_USED; n++)
        p.bytes[n] = (uint8_t)(n * 37 + 11);
    for (unsigned n = 0; n < 8; n++)
        memset(p.bytes + 32 + 16 * n + 10, 0, 6);
    memcpy(p.bytes, &(uint16_t){0x083e}, 2);      /* FCW: IM clear, single precision, upwards */
    memcpy(p.bytes + 2, &(uint16_t){0xa981}, 2);  /* FSW: IE, ES, B, C0; TOP = 5 */
    p.bytes[4] = 0xff;                            /* FTW: nothing is empty */
    memcpy(p.bytes + 24, &(uint32_t){0x7fa1}, 4); /* MXCSR: towards zero, flags set */
    return p;
}

static void check(const char *name, uint64_t fn, const uint64_t arg[6])
{
    struct image in = pattern(), before, after;

    cr_assert(fn, "%s", name);
    memset(&before, 0, sizeof before);
    memset(&after, 0, sizeof after);
    call_between(arg, fn, &in, &before, &after);
    cr_assert(!memcmp(before.bytes + 32, in.bytes + 32, 128));
    for (unsigned n = 0; n < IMAGE_USED; n++)
        cr_assert(after.bytes[n] == before.bytes[n], "%s changes byte %u of FXSAVE's image: %x, %x",
                  name, n, before.bytes[n], after.bytes[n]);
}

#define NUMBER(x)      ((uint64_t)(uintptr_t)(x))
#define CHECK(fn, ...) check(#fn, NUMBER(fn), (const uint64_t[6]){__VA_ARGS__})

static struct linux_host h;
static struct guest_ram ram;
static char path[] = "/tmp/ring1-host-fpu-XXXXXX";

static void start(void)
{
    struct config cfg = {.trace_mask = UINT32_MAX, .trace_path = path, .rtc_base = RTC_UTC};
    struct vcpu *v = vcpu_memory_create(sizeof *v);
    struct error e;
    int fd = mkstemp(path);

    cr_assert(v && fd >= 0);
    close(fd);
    cr_assert(!vm_host_init(&h, &cfg, &e), "%s", e.text);
    cr_assert(!vm_host_init_translation(&h, v, &e), "%s", e.text);
    cr_assert(!guest_ram_create(&ram, 1u << 20, &e), "%s", e.text);
    host_windows_create(&h.window, &h.cpu, ram.fd, HOST_WINDOWS);
}

static void end(void)
{
    vm_host_destroy(&h);
    unlink(path);
}

Test(host_fpu, every_function_of_the_host, .init = start, .fini = end)
{
    const struct vmm_host *f = &h.host;
    const struct vcpu_host *c = &h.cpu;
    uint64_t o = NUMBER(f->opaque);
    static struct console console[MAX_SERIAL + 1];
    struct host_room room = {.serial = {16}};
    struct host_event event;
    uint32_t random;
    static const uint8_t stub = 0xc3; /* RET */
    struct fpu_io *io = NULL;
    uint8_t *code = c->stubs.rw;

    *code = stub;
    console[0].in_head = 16;
    console[MAX_SERIAL].asked = ASKED_POWER_BUTTON;
    h.console = console;
    h.consoles = ARRAY_LEN(console);
    CHECK(f->now_ns, o);
    CHECK(c->spent_ns, o);
    CHECK(c->fpu_call, o, NUMBER(c->stubs.rx), NUMBER(io));
    CHECK(f->random32, o, NUMBER(&random));
    CHECK(f->wall_seconds, o);
    for (unsigned n = 0; n < 3; n++) /* input, a wish, nothing */
        CHECK(f->next_event, o, NUMBER(&room), NUMBER(&event));
    CHECK(c->arm_timer, o, NS_NEVER - 1);
    CHECK(c->arm_timer, o, NS_NEVER);
    CHECK(c->jump_map_open, o, c->jump_map[0], GUEST_PAGE_SIZE);
    CHECK(c->jump_map_clear, o, c->jump_map[0]);
    if (!c->window_count)
        return;
    CHECK(c->window_map, o, 0, 0x5000, 0x3000, 0x2000, HOST_MAP_WRITE);
    CHECK(c->window_protect, o, 0, 0x5000, 0x1000, 0);
    CHECK(c->window_unmap, o, 0, 0x5000, 0x2000);
}

/* Formatting, a buffer that fills up, system calls and errors. */
Test(host_fpu, trace, .init = start, .fini = end)
{
    const struct vmm_host *f = &h.host;
    char line[300];

    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = 0;
    for (unsigned n = 0; n < 2 * sizeof h.trace_buf / sizeof line; n++)
        CHECK(f->trace, NUMBER(f->opaque), n % (TRACE_COUNT + 1), NUMBER(line));
    int fd = open(path, O_RDONLY);
    cr_expect(lseek(fd, 0, SEEK_END) >= (off_t)sizeof h.trace_buf / 2, "the lines are written");
    close(fd);
    close(h.trace_fd); /* from here on writing fails */
    for (unsigned n = 0; n < 2 * sizeof h.trace_buf / sizeof line; n++)
        CHECK(f->trace, NUMBER(f->opaque), 0, NUMBER(line));
    h.trace_fd = -1;
    cr_expect_neq(h.trace_error, 0);
}

Test(host_fpu, device_back_ends)
{
    struct out_ring *ring = zeroed_alloc(sizeof *ring);
    uint8_t bytes[4096] = {1, 2, 3};

    for (unsigned n = 0; n < OUT_RING / sizeof bytes + 2; n++)
        CHECK(out_ring_put, NUMBER(ring), NUMBER(bytes), sizeof bytes);
    cr_expect_neq(ring->dropped, 0);
    CHECK(out_drop, 0, NUMBER(bytes), sizeof bytes);
}
