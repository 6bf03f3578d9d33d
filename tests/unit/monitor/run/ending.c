/* SPDX-License-Identifier: MIT */
/* ending.c - what follows each end of a guest's life, under each of the user's rules. */
/* uses: monitor/run/ending.c */
#include <criterion/criterion.h>
#include <string.h>

#include "monitor/cpu/cpuid.h"
#include "monitor/cpu/vm.h"
#include "monitor/run/ending.h"

static struct vm vm;
static struct vcpu cpu = {.vm = &vm, .eip = 0x100040, .seg[SEG_CS].sel = 8};
static struct ending_verdict d;

static enum ending_step after(struct ending *e, unsigned reason, ns_t now)
{
    vm.cpu_model = cpu_model_find("pentium");
    memset(&d, 0xee, sizeof d);
    ending_after(e, &cpu, reason, now, &d);
    return d.step;
}

Test(ending, rules)
{
    static const struct {
        unsigned reason;
        enum ending_step step, no_reboot, no_shutdown; /* without, and with, that rule */
        int status;
        bool end;
    } rows[] = {
        {EXIT_NONE, ENDING_NONE, ENDING_NONE, ENDING_NONE, 0, false},
        {EXIT_SLICE, ENDING_NONE, ENDING_NONE, ENDING_NONE, 0, false},
        {EXIT_HALT, ENDING_NONE, ENDING_NONE, ENDING_NONE, 0, false},
        {EXIT_POWEROFF, ENDING_QUIT, ENDING_QUIT, ENDING_STAY, 0, true},
        {EXIT_RESET, ENDING_RESTART, ENDING_QUIT, ENDING_RESTART, 0, true},
        {EXIT_TRIPLE_FAULT, ENDING_RESTART, ENDING_QUIT, ENDING_RESTART, 0, true},
        {EXIT_DEBUG_EXIT, ENDING_QUIT, ENDING_QUIT, ENDING_QUIT, 0x45, true},
        {EXIT_SHUTDOWN_HALT, ENDING_WAIT, ENDING_WAIT, ENDING_WAIT, 0, false},
        {EXIT_DIVERGED, ENDING_QUIT, ENDING_QUIT, ENDING_QUIT, 1, false},
    };

    cr_expect_eq(ARRAY_LEN(rows), EXIT_COUNT);
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct ending plain = {0}, no_reboot = {.rules.no_reboot = true},
                      no_shutdown = {.rules.no_shutdown = true};

        cpu.exit_code = 0x12345;
        cr_expect_eq(after(&plain, rows[i].reason, 5), rows[i].step, "row %u", i);
        cr_expect_eq(d.status, rows[i].status, "row %u", i);
        cr_expect_eq(after(&no_reboot, rows[i].reason, 5), rows[i].no_reboot, "row %u", i);
        cr_expect_eq(d.status, rows[i].status, "row %u", i);
        cr_expect_eq(d.show_registers, rows[i].reason == EXIT_TRIPLE_FAULT, "row %u", i);
        cr_expect_eq(after(&no_shutdown, rows[i].reason, 5), rows[i].no_shutdown, "row %u", i);
        cr_expect_eq(!!d.report[0], rows[i].reason == EXIT_TRIPLE_FAULT, "row %u", i);
        cr_expect_eq(ending_is_end(rows[i].reason), rows[i].end, "row %u", i);
    }
}

Test(ending, words)
{
    struct ending e = {0}, stop = {.rules.no_reboot = true};

    cpu.exit_code = 0x0608;
    after(&stop, EXIT_TRIPLE_FAULT, 5);
    cr_expect_str_eq(
        d.report,
        "triple fault at 0x0008:0x00100040: the guest's CPU shut down because it could not deliver "
        "vector 0x08 (#DF), which came of vector 0x06 (#UD); -no-reboot ends the run");
    cr_expect_str_eq(d.lack, "");
    cpu.exit_code = 0x0808;
    cpu.lacked = "cmovcc", cpu.lacked_cs = 8, cpu.lacked_eip = 0x10003c;
    after(&e, EXIT_TRIPLE_FAULT, 5);
    cr_expect(strstr(d.report, "deliver vector 0x08 (#DF); restarting it (-no-reboot shows the "
                               "registers)"),
              "%s", d.report);
    cr_expect_str_eq(d.lack, "the guest tried what the CPU model 'pentium' lacks (-cpu): cmovcc, "
                             "last at 0x0008:0x0010003c");
    cpu.lacked = NULL;
    cpu.exit_code = 0xd108;
    after(&stop, EXIT_TRIPLE_FAULT, 5);
    cr_expect(strstr(d.report, "vector 0xd1 (an interrupt)"), "%s", d.report);
}

/* Once a second, with the number of those that were left out; always when it ends the run. */
Test(ending, crashes_again_and_again)
{
    struct ending e = {0};
    unsigned said = 0;

    for (ns_t now = 7 * NS_PER_SEC; now < 10 * NS_PER_SEC; now += NS_PER_SEC / 10) {
        cr_expect_eq(after(&e, EXIT_TRIPLE_FAULT, now), ENDING_RESTART);
        if (d.report[0] && said++)
            cr_expect(strstr(d.report, ", as 9 times since the last report; "), "%s", d.report);
    }
    cr_expect_eq(said, 3);
    struct ending stop = {.rules.no_reboot = true};
    for (unsigned i = 0; i < 2; i++) {
        after(&stop, EXIT_TRIPLE_FAULT, NS_PER_SEC);
        cr_expect(d.report[0]);
    }
}

Test(ending, halted_is_said_once_in_each_life)
{
    struct ending e = {0};

    cpu.lacked = "rdtsc";
    for (unsigned life = 0; life < 2; life++) {
        for (unsigned i = 0; i < 3; i++) {
            after(&e, EXIT_SHUTDOWN_HALT, 5);
            cr_expect_eq(d.first, i == 0);
            cr_expect_eq(!!d.lack[0], i == 0);
        }
        after(&e, EXIT_RESET, 5);
        cr_expect(!d.first);
    }
    cpu.lacked = NULL;
}
