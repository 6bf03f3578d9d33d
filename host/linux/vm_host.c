/* SPDX-License-Identifier: MIT */
/* vm_host.c - see vm_host.h. What must not touch the FPU is in fpu_safe.c and fpu_call.c. */
#define _GNU_SOURCE
#include "host/linux/vm_host.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "host/linux/code_arena.h"
#include "host/linux/console.h"
#include "host/linux/fpu_call.h"
#include "host/linux/jump_map.h"
#include "include/ring1/trace.h"

#define CODE_ARENA (4u << 20)

static const char *const stage_names[TRACE_COUNT] = {
#define TRACE(id, name, text) #name,
#include "include/ring1/trace.def"
#undef TRACE
};

_Static_assert(offsetof(struct linux_host, clock) == 0, "opaque of clock_now() and its like");

void vm_host_flush_trace(struct linux_host *h)
{
    size_t done = 0;

    while (h->trace_fd >= 0 && done < h->trace_len) {
        ssize_t n = write(h->trace_fd, h->trace_buf + done, h->trace_len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) { /* disk full, reader gone: the trace is lost, the guest is not */
            if (!h->trace_error)
                h->trace_error = n < 0 ? errno : EIO;
            break;
        }
        done += (size_t)n;
    }
    h->trace_len = 0;
}

void vm_host_serve_trace(struct linux_host *h)
{
    if (h->trace_len)
        vm_host_flush_trace(h);
    if (h->trace_error && !h->trace_complained)
        say("cannot write the trace: %s; it has gaps", strerror(h->trace_error));
    h->trace_complained = h->trace_error != 0;
}

static void trace_put(struct linux_host *h, const char *s, size_t len)
{
    if (len > sizeof h->trace_buf - h->trace_len)
        vm_host_flush_trace(h);
    if (len > sizeof h->trace_buf)
        len = sizeof h->trace_buf;
    memcpy(h->trace_buf + h->trace_len, s, len);
    h->trace_len += len;
}

void vm_host_trace(struct linux_host *h, unsigned stage, const char *text)
{
    if (stage < TRACE_COUNT)
        trace_put(h, stage_names[stage], strlen(stage_names[stage]));
    trace_put(h, ": ", 2);
    trace_put(h, text, strlen(text));
    if (h->trace_to_terminal)
        trace_put(h, "\r", 1); /* it is raw */
    trace_put(h, "\n", 1);
    if (h->trace_to_terminal)
        vm_host_flush_trace(h);
}

static int64_t rtc_offset(const struct config *cfg)
{
    time_t now = time(NULL);
    struct tm local;

    switch (cfg->rtc_base) {
    case RTC_LOCALTIME:
        return localtime_r(&now, &local) ? local.tm_gmtoff : 0;
    case RTC_DATE:
        return cfg->rtc_date - now;
    case RTC_UTC:
        break;
    }
    return 0;
}

static int open_trace(struct linux_host *h, const struct config *cfg, struct error *e)
{
    h->trace_fd = -1;
    if (cfg->trace_path) {
        h->trace_fd =
            open(cfg->trace_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
        if (h->trace_fd < 0)
            return error_set(e, "cannot create the trace file '%s': %s", cfg->trace_path,
                             strerror(errno));
    } else if (cfg->trace_mask) {
        h->trace_fd = STDERR_FILENO;
    }
    h->trace_to_terminal = h->trace_fd >= 0 && isatty(h->trace_fd);
    return 0;
}

/* Is it Intel's CPU? Of the others, AMD's differ in REP CMPS and SCAS (measured: family 17h). */
static bool is_intel(void)
{
    uint32_t a, b, c, d;

    return __get_cpuid(0, &a, &b, &c, &d) && b == signature_INTEL_ebx && c == signature_INTEL_ecx &&
           d == signature_INTEL_edx;
}

int vm_host_init(struct linux_host *h, const struct config *cfg, struct error *e)
{
    uint32_t a, b, c, d;
    int err;

    clock_init(&h->clock);
    h->clock.rtc_offset = rtc_offset(cfg);
    h->host = (struct vmm_host){
        .opaque = h,
        .now_ns = clock_now,
        .random32 = clock_random32,
        .wall_seconds = clock_wall,
        .next_event = console_next_event,
        .trace = fpu_safe_trace,
        .trace_mask = cfg->trace_mask,
        .guest_tsc_khz = clock_tsc_khz(),
    };
    h->cpu = (struct vcpu_host){.opaque = h, .fpu_call = host_fpu_call, .spent_ns = clock_spent};
    if (__get_cpuid(1, &a, &b, &c, &d)) {
        h->host.host_feat_1_ecx = c;
        h->host.host_feat_1_edx = d;
    }
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d))
        h->host.host_feat_7_ebx = b;
    h->host.host_rep_flags = !is_intel();
    if (open_trace(h, cfg, e))
        return -1;
    err = code_arena_create(&h->cpu.stubs, CODE_ARENA);
    if (err)
        return error_set(e, "the host gives no memory for generated code: %s", refusal(-err));
    return 0;
}

int vm_host_init_translation(struct linux_host *h, struct vcpu *v, struct error *e)
{
    int err = return_stack_create(&h->cpu, v, sizeof *v);

    if (err)
        return error_set(e, "the host gives no memory for return addresses: %s", refusal(-err));
    if (jump_maps_create(&h->cpu))
        return error_set(e, "%s", NO_ADDRESS_SPACE);
    err = break_timer_create(&h->clock);
    if (err)
        return error_set(e, "the host gives no timer: %s", refusal(-err));
    h->cpu.arm_timer = break_timer_arm;
    return 0;
}

void vm_host_destroy(struct linux_host *h)
{
    break_timer_destroy(&h->clock);
    vm_host_serve_trace(h);
    if (h->trace_fd > STDERR_FILENO)
        close(h->trace_fd);
    h->trace_fd = -1;
    code_arena_destroy(&h->cpu.stubs);
    code_arena_destroy(&h->cpu.cache);
    host_windows_destroy(&h->window);
    return_stack_destroy(&h->cpu);
    jump_maps_destroy(&h->cpu);
}
