/* SPDX-License-Identifier: MIT */
/*
 * saved.c - a machine of our own in counted time (tests/rig/counted.h) that boots Linux, is saved
 * on the way, and says in what state it ends; for saved.py, which compares such processes.
 *
 * Usage      saved KERNEL INITRD ENGINE visit POINT:SKIP:RUN:FILE...
 *            From power-on to each point in turn: early, unpacking, kernel or user. SKIP
 *            instructions behind it, or at the next that is such a place, the machine is saved into
 *            FILE, and goes on for RUN instructions.
 *            saved KERNEL INITRD ENGINE load RUN:FILE...
 *            The same from each FILE, after a load.
 * Output     For each point or file: "PLACE FILE" and where it was saved (visit only), "END FILE"
 *            and what it did since, then a line for each section of what it is at the end. A file
 *            that cannot be loaded: "REFUSED FILE" and the sentence. With KEEP_ENDS=SUFFIX in the
 *            environment the end is saved as FILE.SUFFIX.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/run/save.h"
#include "tests/rig/counted.h"

#define HEADER  36u    /* devices/snapshot.c */
#define LOOK    20000u /* instructions between two looks for a point */
#define RAM_MIB 64u

static struct config cfg = {.append = "console=ttyS0",
                            .ram_size = RAM_MIB * MIB,
                            .rtc_base = RTC_DATE,
                            .rtc_date = 1700000000,
                            .acpi = true,
                            .serial_count = 2,
                            .serial = {{.kind = CONSOLE_NULL}, {.kind = CONSOLE_NULL}},
                            .cache_size = 64 * MIB};
static struct counted c;

/* What the guest printed since it was saved; FNV-1a. */
static struct {
    uint64_t hash[2];
    unsigned len[2];
} printed;

static void said(unsigned port, const uint8_t *bytes, size_t len)
{
    for (; len--; bytes++) {
        printed.hash[port] = (printed.hash[port] ^ *bytes) * 0x100000001b3u;
        printed.len[port]++;
    }
}

static void say_0(void *opaque, const uint8_t *bytes, size_t len)
{
    (void)opaque;
    said(0, bytes, len);
}

static void say_1(void *opaque, const uint8_t *bytes, size_t len)
{
    (void)opaque;
    said(1, bytes, len);
}

static _Noreturn void fail(const char *what, const char *why)
{
    fprintf(stderr, "saved: %s: %s\n", what, why);
    exit(2);
}

static struct snapshot save(void)
{
    struct snapshot s = {.size = vm_save_bound(&c.m->vm)};

    s.bytes = malloc(s.size);
    if (!s.bytes || !vm_save(&c.m->vm, c.m->pc, &s))
        fail("save", s.bytes ? s.error : "no memory");
    s.size = s.at;
    return s;
}

static void write_file(const char *name, const struct snapshot *s)
{
    FILE *f = fopen(name, "wb");

    if (!f || fwrite(s->bytes, 1, s->size, f) != s->size || fclose(f))
        fail(name, "cannot be written");
}

/* The state at the end, by section: version, length and checksum stand in its header. */
static void go_on(const char *file, uint64_t run)
{
    memset(&printed, 0, sizeof printed);
    unsigned reason = counted_run(&c, run);
    pc_flush(c.m->pc);
    /* Chips work out what time did to them when they are looked at. */
    c.m->vm.board_ops->run_until(c.m->vm.board, c.now);
    struct snapshot s = save();

    printf("END %s reason %u instructions %llu time %llu printed %u %016llx %u %016llx\n", file,
           reason, (unsigned long long)c.insns, (unsigned long long)c.now, printed.len[0],
           (unsigned long long)printed.hash[0], printed.len[1],
           (unsigned long long)printed.hash[1]);
    for (size_t at = 0; at < s.size;) {
        uint64_t len, sum;
        memcpy(&len, s.bytes + at + 20, sizeof len);
        memcpy(&sum, s.bytes + at + 28, sizeof sum);
        printf("section %s %llu %016llx\n", (const char *)s.bytes + at, (unsigned long long)len,
               (unsigned long long)sum);
        at += HEADER + (size_t)len;
    }
    fflush(stdout);
    const char *keep = getenv("KEEP_ENDS");
    if (keep) {
        char name[600];
        snprintf(name, sizeof name, "%s.%s", file, keep);
        write_file(name, &s);
    }
    free(s.bytes);
}

/* ---- visiting points ---- */

static bool is_there(const char *point)
{
    const struct vcpu *v = c.m->vcpu;

    if (!strcmp(point, "early"))
        return true;
    if (!strcmp(point, "unpacking")) /* head_32.S and what follows it, before paging */
        return c.insns >= 2000000 && !(v->cr0 & CR0_PG);
    if (!strcmp(point, "kernel"))
        return (v->cr0 & CR0_PG) && v->cpl == 0 && v->eip >= 0xc0000000u;
    if (!strcmp(point, "user"))
        return v->cpl == 3;
    fail(point, "is no point");
}

static void visit(const char *spec)
{
    char point[16], file[512];
    unsigned long long skip, run;

    if (sscanf(spec, "%15[a-z]:%llu:%llu:%511s", point, &skip, &run, file) != 4)
        fail(spec, "is not POINT:SKIP:RUN:FILE");
    counted_anew(&c, c.now, false);
    while (!is_there(point))
        if (counted_run(&c, c.insns + LOOK) != EXIT_SLICE)
            fail(point, "the guest ended before");
    uint64_t at = c.insns + skip;
    while (c.insns < at || !is_there(point)) {
        uint64_t to = c.insns < at ? at : c.insns + 1;
        if (counted_run(&c, to) != EXIT_SLICE)
            fail(point, "the guest ended before");
    }
    const struct vcpu *v = c.m->vcpu;
    printf("PLACE %s %s eip %08x cpl %u cr0 %08x eflags %08x time %llu\n", file, point, v->eip,
           v->cpl, v->cr0, v->eflags, (unsigned long long)c.now);
    struct snapshot s = save();
    write_file(file, &s);
    free(s.bytes);
    counted_anew(&c, c.now, true);
    go_on(file, run);
}

/* ---- loading ---- */

static struct snapshot read_file(const char *name)
{
    struct snapshot s = {.size = vm_save_bound(&c.m->vm)};
    FILE *f = fopen(name, "rb");

    s.bytes = malloc(s.size);
    if (!f || !s.bytes)
        fail(name, "cannot be read");
    s.size = fread(s.bytes, 1, s.size, f);
    fclose(f);
    return s;
}

static void load(const char *spec)
{
    char *file;
    unsigned long long run = strtoull(spec, &file, 0);
    struct snapshot s = read_file(++file);
    ns_t now = vm_saved_at(&s);

    counted_anew(&c, now == NS_NEVER ? c.now : now, true);
    if (!vm_load(&c.m->vm, c.m->pc, &s))
        printf("REFUSED %s %s\n", file, s.error);
    else
        go_on(file, run);
    free(s.bytes);
}

int main(int argc, char **argv)
{
    struct machine *m = zeroed_alloc(sizeof *m);
    struct error e = {.text = ""};

    if (argc < 6 || !m)
        fail("usage", "saved KERNEL INITRD ENGINE visit|load WHAT...");
    cfg.kernel = argv[1];
    cfg.initrd = argv[2];
    cfg.cpu = cpu_model_at(0);
    cfg.exec = !strcmp(argv[3], "interpret") ? EXEC_INTERPRET : EXEC_TRANSLATE;
    cfg.bt = counted_bt;
    if (machine_create(m, &cfg, &e))
        fail("machine", e.text);
    if (counted_create(&c, m, &e))
        fail("machine", e.text);
    m->pc->uart[0].chr = (struct chardev){.send = say_0};
    m->pc->uart[1].chr = (struct chardev){.send = say_1};
    for (int n = 5; n < argc; n++)
        (!strcmp(argv[4], "visit") ? visit : load)(argv[n]);
    machine_destroy(m);
    return 0;
}
