/* SPDX-License-Identifier: MIT */
/* sandbox.c - see sandbox.h; the calls are in sandbox.def. */
#define _GNU_SOURCE
#include "host/linux/sandbox.h"

#include <errno.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) ||                         \
    __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* Those of the kernel's termios2, which newer C libraries use; <asm/termbits.h> and <termios.h> do
 * not go together. */
#define REQUEST_TCGETS2 0x802c542aul
#define REQUEST_TCSETS2 0x402c542bul

#define INT_MASK 0xffffffffull /* an int argument's upper half may be anything */

enum condition {
#define SANDBOX_CONDITION(id, text) IF_##id,
#include "host/linux/sandbox.def"
};

static const struct row {
    const char *name;
    enum condition condition;
} rows[] =
    {
#define SANDBOX(call, cond, text) {#call, IF_##cond},
#include "host/linux/sandbox.def"
},
  block_rows[] = {
#define SANDBOX_BLOCK(call, cond, text) {#call, IF_##cond},
#include "host/linux/sandbox.def"
};

bool sandbox_possible(void)
{
    return !SANITIZED;
}

/* Comparisons of argument `arg`: the whole register, an int, none of the bits, all of them. */
static struct scmp_arg_cmp equals(unsigned arg, uint64_t value)
{
    return SCMP_CMP64(arg, SCMP_CMP_EQ, value, 0);
}
static struct scmp_arg_cmp is(unsigned arg, int value)
{
    return SCMP_CMP64(arg, SCMP_CMP_MASKED_EQ, INT_MASK, (uint64_t)(uint32_t)value);
}
static struct scmp_arg_cmp lacks(unsigned arg, uint64_t bits)
{
    return SCMP_CMP64(arg, SCMP_CMP_MASKED_EQ, bits, 0);
}
static struct scmp_arg_cmp has(unsigned arg, uint64_t bits)
{
    return SCMP_CMP64(arg, SCMP_CMP_MASKED_EQ, bits, bits);
}

/* Allows `call` when all `count` comparisons hold. */
static int allow(scmp_filter_ctx f, int call, unsigned count, const struct scmp_arg_cmp *cmp)
{
    return seccomp_rule_add_array(f, SCMP_ACT_ALLOW, call, count, cmp);
}

static int allow_terminal(scmp_filter_ctx f, int call)
{
    static const unsigned long requests[] = {TCGETS, TCSETS, REQUEST_TCGETS2, REQUEST_TCSETS2,
                                             TIOCGPGRP};

    for (unsigned i = 0; i < ARRAY_LEN(requests); i++) {
        struct scmp_arg_cmp request = equals(1, requests[i]);
        int err = allow(f, call, 1, &request);
        if (err)
            return err;
    }
    return 0;
}

/* Allows `call` on each listener. by_path: its argument is the path's address, else the
 * descriptor. */
static int allow_listeners(scmp_filter_ctx f, int call, const struct sandbox_spec *s, bool by_path)
{
    for (unsigned i = 0; i < s->listener_count; i++) {
        uint64_t path = (uint64_t)(uintptr_t)s->listener[i].path;
        struct scmp_arg_cmp which = by_path ? equals(0, path) : is(0, s->listener[i].fd);
        int err = allow(f, call, 1, &which);
        if (err)
            return err;
    }
    return 0;
}

static int add_row(scmp_filter_ctx f, const struct row *row, const struct sandbox_spec *s)
{
    int call = seccomp_syscall_resolve_name(row->name);
    struct scmp_arg_cmp cmp[2];

    if (call == __NR_SCMP_ERROR)
        return -EINVAL;
    switch (row->condition) {
    case IF_ALWAYS:
        return allow(f, call, 0, NULL);
    case IF_GUEST_RAM:
        if (s->ram_fd < 0)
            return 0;
        cmp[0] = lacks(2, PROT_EXEC);
        cmp[1] = is(4, s->ram_fd);
        return allow(f, call, 2, cmp);
    case IF_ANONYMOUS:
        cmp[0] = lacks(2, PROT_EXEC);
        cmp[1] = has(3, MAP_ANONYMOUS);
        return allow(f, call, 2, cmp);
    case IF_NOT_EXECUTABLE:
        cmp[0] = lacks(2, PROT_EXEC);
        return allow(f, call, 1, cmp);
    case IF_NO_ADDRESS:
    case IF_NO_SENDER:
        cmp[0] = equals(4, 0);
        return allow(f, call, 1, cmp);
    case IF_OURSELVES:
        cmp[0] = is(0, getpid());
        return allow(f, call, 1, cmp);
    case IF_TERMINAL:
        return allow_terminal(f, call);
    case IF_LISTENER:
        return allow_listeners(f, call, s, false);
    case IF_SOCKET_PATH:
        return allow_listeners(f, call, s, true);
    }
    return -EINVAL;
}

/* The calling thread's calls, and those of threads that it makes. */
static int enter(enum sandbox_mode mode, const struct row *row, unsigned count,
                 const struct sandbox_spec *spec, struct error *e)
{
    uint32_t refuse = mode == SANDBOX_REPORT ? SCMP_ACT_TRAP : SCMP_ACT_KILL_PROCESS;
    int err = 0;

    if (mode == SANDBOX_OFF || !sandbox_possible())
        return 0;
    scmp_filter_ctx f = seccomp_init(refuse);
    if (!f)
        return error_set(e, "cannot make the sandbox: out of memory");
    /* Calls by the 32-bit entry too: translated code could reach it with two bytes. */
    err = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, refuse);
    for (unsigned i = 0; i < count && !err; i++)
        err = add_row(f, &row[i], spec);
    /* A search tree instead of a list: the filter runs at each call. Only a wish. */
    if (!err)
        seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (!err)
        err = seccomp_load(f);
    seccomp_release(f);
    if (err)
        return error_set(e,
                         "this host lets no system call filter be set up (%s); -sandbox off runs "
                         "without",
                         strerror(-err));
    return 0;
}

int sandbox_enter(enum sandbox_mode mode, const struct sandbox_spec *spec, struct error *e)
{
    return enter(mode, rows, ARRAY_LEN(rows), spec, e);
}

int sandbox_enter_block(enum sandbox_mode mode, struct error *e)
{
    struct sandbox_spec none = {.ram_fd = -1};

    return enter(mode, block_rows, ARRAY_LEN(block_rows), &none, e);
}
