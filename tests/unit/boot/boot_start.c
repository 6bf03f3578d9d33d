/* SPDX-License-Identifier: MIT */
/* boot_start.c - a PC from power-on to its guest's end, more than once: the kernel is bytes, the
 * host is a clock, and there are no files. */
/* uses: boot/start.c boot/boot.c boot/multiboot.c */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "boot/boot.h"
#include "devices/pc.h"
#include "include/ring1/bytes.h"
#include "monitor/cpu/cpuid.h"
#include "tests/rig/null_host.h"

#define RAM     (4u << 20)
#define LOAD_AT 0x102000u
#define CODE    32u /* in the image, after the header */
#define BSS     0x103000u

static struct null_world world = {.step = 1000};
static struct vmm_host host;
static struct vm vm;
static struct pc *pc;
static struct vcpu *cpu;
static uint8_t image[64];

static void power_on(void)
{
    struct pc_config cfg = {.acpi = true, .debug_exit_base = 0xf4, .debug_exit_size = 4};

    host = null_host(&world);
    cpu = null_zeroed(sizeof *cpu);
    pc = null_zeroed(pc_size());
    null_vm(&vm, &world, &host, cpu, NULL, RAM, NULL);
    memset(vm.ram, 0x5a, RAM);
    const char *why = null_pc(&vm, pc, &cfg);
    cr_assert(!why, "%s", why);
}

static void make_kernel(const uint8_t *code, size_t len)
{
    const uint32_t flags = 0x10000;
    const uint32_t header[] = {0x1badb002, flags,   -(0x1badb002 + flags), LOAD_AT, LOAD_AT,
                               0,          BSS + 4, LOAD_AT + CODE};

    cr_assert(CODE + len <= sizeof image);
    memset(image, 0x90, sizeof image);
    for (unsigned i = 0; i < ARRAY_LEN(header); i++)
        put_le32(image + 4 * i, header[i]);
    if (len)
        memcpy(image + CODE, code, len);
}

/* Nothing of the life before is in board or CPU: the first life's values come again. */
static void check_reset(void)
{
    static unsigned lives;
    static uint32_t mask;
    uint32_t now = bus_read(&vm.port, 0x21, 1, world.now); /* the interrupts masked */

    mask = lives++ ? mask : now;
    cr_expect_eq(now, mask, "life %u", lives);
    cr_expect(cpu->cr2 == 0 && cpu->dr[0] == 0);
    bus_write(&vm.port, 0x21, 1, ~mask & 0xff, world.now);
    cpu->cr2 = cpu->dr[0] = 0x1234;
}

/* Reset button, then the guest to its end. */
static unsigned run(void)
{
    struct boot b = {.kernel = {image, sizeof image, "bytes"}, .cmdline = ""};
    struct boot_error e = {""};
    unsigned reason, slices = 0;

    b.kind = boot_recognise(&b.kernel, &e);
    cr_assert_eq(boot_start(&b, &vm, pc, NULL, &e), 0, "%s", e.text);
    check_reset();
    do
        reason = vcpu_run(cpu, 1000000);
    while (reason == EXIT_SLICE && ++slices < 100);
    return reason;
}

Test(boot_start, resets)
{
    static const uint8_t code[] = {
        0xff, 0x05, 0x00, 0x30, 0x10, 0x00, /* inc dword [BSS] */
        0xa1, 0x00, 0x30, 0x10, 0x00,       /* mov eax, [BSS] */
        0xe6, 0xf4,                         /* out 0xf4, al: 2 * n + 1 */
    };
    static const uint8_t other[] = {
        0xff, 0x05, 0x00, 0x30, 0x10, 0x00, 0xb8, 0x07, 0x00, 0x00, 0x00, 0xe6, 0xf4,
    };
    static const uint8_t gate_off[] = {
        0xb0, 0x00, 0xe6, 0x92, /* A20 off: 0x102000 is 0x2000 from here on */
        0xeb, 0x00,             /* jmp to the next, fetched anew */
    };
    static const uint8_t low[] = {0x90, 0x90, 0xb0, 0x09, 0xe6, 0xf4}; /* out 0xf4, 9 */

    power_on();
    for (unsigned i = 0; i < 3; i++) { /* no life sees what the one before left in .bss */
        make_kernel(code, sizeof code);
        cr_expect_eq(run(), EXIT_DEBUG_EXIT);
        cr_expect_eq(cpu->exit_code, 3, "life %u: 0x%x", i, cpu->exit_code);
        cr_expect_eq(vm.ram[LOAD_AT - 0x1000], 0x5a, "RAM keeps the rest");
        /* Decoded code of the life before is not run for the new one. */
        make_kernel(other, sizeof other);
        cr_expect_eq(run(), EXIT_DEBUG_EXIT);
        cr_expect_eq(cpu->exit_code, 15, "life %u: 0x%x", i, cpu->exit_code);
        memcpy(vm.ram + 0x2000 + CODE + 4, low, sizeof low);
        make_kernel(gate_off, sizeof gate_off);
        cr_expect_eq(run(), EXIT_DEBUG_EXIT);
        cr_expect_eq(cpu->exit_code, 19, "life %u: 0x%x", i, cpu->exit_code);
        cr_expect(!vm.a20);
    }
}

Test(boot_start, refuses)
{
    struct boot b = {.kernel = {image, sizeof image, "bytes"}, .cmdline = ""};
    struct boot_error e = {""};

    power_on();
    make_kernel(NULL, 0);
    b.kind = boot_recognise(&b.kernel, &e);
    cr_assert_eq(b.kind, BOOT_MULTIBOOT);
    put_le32(image + 24, LOAD_AT + RAM); /* its .bss ends there */
    cr_expect_eq(boot_start(&b, &vm, pc, NULL, &e), -1);
    cr_expect_str_eq(e.text,
                     "4 MiB of RAM is too small: this kernel needs at least 6 MiB; use -m 6 or "
                     "more");
}
