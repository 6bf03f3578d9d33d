/* SPDX-License-Identifier: MIT */
/*
 * guest_run.h - a guest test (tests/guest) run to its end in this process, by the whole machine of
 * host/linux, so that a unit test can look at what it left behind.
 */
#ifndef RING1_TESTS_RIG_GUEST_RUN_H
#define RING1_TESTS_RIG_GUEST_RUN_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "host/linux/loop.h"
#include "host/linux/machine.h"

/* Translated at the first execution. The caller destroys and frees it. */
static struct machine *guest_run(const char *name, struct bt_options options)
{
    const char *dir = getenv("RING1_GUEST_TESTS");
    char path[512];
    struct error e = {.text = ""};
    struct config cfg = {
        .kernel = path,
        .append = "",
        .ram_size = 32 * MIB,
        .cpu = cpu_model_at(0),
        .debug_exit = true,
        .debug_exit_base = 0xf4,
        .debug_exit_size = 4,
        .acpi = true,
        .exec = EXEC_TRANSLATE,
        .cache_size = 16 * MIB,
        .bt = options,
    };
    struct machine *m = zeroed_alloc(sizeof *m);

    cr_assert(dir && m, "RING1_GUEST_TESTS names the folder of the guest tests");
    snprintf(path, sizeof path, "%s/%s.elf", dir, name);
    cr_assert(!machine_create(m, &cfg, &e), "%s: %s", name, e.text);
    int status = loop_run(m);
    cr_expect(status == 1, "%s ends with status %d", name, status); /* 2 * 0 + 1 */
    m->cfg = NULL;
    return m;
}

#endif
