/* SPDX-License-Identifier: MIT */
/* uses: monitor/run/run.c monitor/run/assemble.c host/linux/events.c */
/*
 * host_event.c - everything that a guest can learn from outside comes through struct vmm_host: who
 * stands between sees it, and can say it again. A machine whose host is random is recorded; another
 * one, whose host only repeats the record, executes the same instructions to the same end.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "boot/boot.h"
#include "devices/pc.h"
#include "host/linux/console.h"
#include "host/linux/vm_host.h"
#include "include/ring1/bytes.h"
#include "monitor/cpu/cpuid.h"
#include "monitor/interp/interp.h"
#include "monitor/run/assemble.h"

#define RAM     (2u << 20)
#define LOAD_AT 0x100000u
#define HEADER  32u
#define RESULT  0x102000u

/* Takes 40 bytes from the serial port, and mixes them with what else is not known before: the TSC,
 * RDRAND, the seconds of the CMOS clock, a timer's count, how often it looked, breaks. */
extern const uint8_t guest_begin[], guest_end[];
__asm__(".pushsection .rodata\n"
        ".code32\n"
        "guest_begin:\n"
        "  xor %ebp, %ebp\n"
        "  mov $40, %esi\n"
        "1: rdtsc\n"
        "  add %eax, %ebp\n"
        "  rol $5, %ebp\n"
        "  rdrand %eax\n"
        "  adc %eax, %ebp\n"
        "  xor %eax, %eax\n"
        "  out %al, $0x70\n"
        "  in $0x71, %al\n"
        "  add %eax, %ebp\n"
        "  in $0x40, %al\n"
        "  add %eax, %ebp\n"
        "  rol $5, %ebp\n"
        "  mov $0x3fd, %dx\n"
        "  in %dx, %al\n"
        "  add %eax, %ebp\n" /* with the mark of a break */
        "  test $1, %al\n"
        "  jz 1b\n"
        "  mov $0xf8, %dl\n"
        "  in %dx, %al\n"
        "  add %eax, %ebp\n"
        "  dec %esi\n"
        "  jnz 1b\n"
        "  mov %ebp, 0x102000\n"
        "  mov $3, %eax\n"
        "  out %al, $0xf4\n"
        "guest_end:\n"
        ".code64\n"
        ".popsection\n");

/* ---- the host, live or repeating ---- */

enum call { NOW, RANDOM, WALL, EVENT, NOTHING };

struct entry {
    enum call call;
    uint64_t value;
    struct host_event event;
};

#define ENTRIES 400000u
static struct tape {
    struct entry *entry;
    unsigned used, taken;
    bool repeats, strayed; /* another call came than was recorded */
    uint64_t seed;
    ns_t now;
    unsigned events, breaks;
} tape;

static uint64_t rnd(void)
{
    tape.seed = tape.seed * 6364136223846793005u + 1442695040888963407u;
    return tape.seed >> 33;
}

/* The next entry to write, or to read if it is one of this kind. */
static struct entry *entry(enum call call)
{
    static struct entry none;

    if (!tape.repeats) {
        cr_assert(tape.used < ENTRIES);
        tape.entry[tape.used].call = call;
        return &tape.entry[tape.used++];
    }
    if (tape.taken < tape.used && tape.entry[tape.taken].call == call)
        return &tape.entry[tape.taken++];
    tape.strayed = true;
    return &none;
}

static ns_t now_ns(void *opaque)
{
    struct entry *e = entry(NOW);

    (void)opaque;
    if (!tape.repeats)
        e->value = tape.now += rnd() % 20000;
    return e->value;
}

static bool random32(void *opaque, uint32_t *out)
{
    struct entry *e = entry(RANDOM);

    (void)opaque;
    if (!tape.repeats)
        e->value = rnd();
    *out = (uint32_t)e->value;
    return *out & 7; /* sometimes there is none */
}

static int64_t wall_seconds(void *opaque)
{
    struct entry *e = entry(WALL);

    (void)opaque;
    if (!tape.repeats)
        e->value = 1700000000 + rnd() % 1000000;
    return (int64_t)e->value;
}

static bool next_event(void *opaque, const struct host_room *room, struct host_event *out)
{
    (void)opaque;
    if (tape.repeats) {
        if (tape.taken < tape.used && tape.entry[tape.taken].call == NOTHING)
            return tape.taken++, false;
        *out = entry(EVENT)->event;
        return !tape.strayed;
    }
    cr_expect(room->serial[0] <= HOST_EVENT_BYTES && !room->serial[1], "one port");
    bool some = room->serial[0] && rnd() & 1;
    struct entry *e = entry(some ? EVENT : NOTHING);
    if (!some)
        return false;
    e->event = (struct host_event){.at = tape.now, .kind = HOST_SERIAL_INPUT};
    if (rnd() % 8 == 0) {
        e->event.kind = HOST_SERIAL_BREAK;
        tape.breaks++;
    } else {
        e->event.len = (uint8_t)(1 + rnd() % room->serial[0]);
        for (unsigned n = 0; n < e->event.len; n++)
            e->event.bytes[n] = (uint8_t)rnd();
    }
    tape.events++;
    *out = e->event;
    return true;
}

static const struct vmm_host host = {.now_ns = now_ns,
                                     .random32 = random32,
                                     .wall_seconds = wall_seconds,
                                     .next_event = next_event,
                                     .guest_tsc_khz = 2600000,
                                     .host_feat_1_ecx = ~0u,
                                     .host_feat_1_edx = ~0u,
                                     .host_feat_7_ebx = ~0u};
static const struct vcpu_host cpu_host;

/* ---- one life of a machine ---- */

struct result {
    uint32_t mixed;
    uint64_t insns;
    unsigned reason, slices;
};

static void out(void *opaque, const uint8_t *bytes, size_t len)
{
    (void)opaque, (void)bytes, (void)len;
}

static struct result live(void)
{
    static uint8_t image[512];
    static struct vm vm;
    const uint32_t flags = 0x10000;
    const uint32_t header[] = {0x1badb002, flags,      -(0x1badb002 + flags), LOAD_AT, LOAD_AT,
                               0,          RESULT + 4, LOAD_AT + HEADER};
    struct pc_config cfg = {.debug_exit_base = 0xf4,
                            .debug_exit_size = 4,
                            .serial = {{.send = out}},
                            .serial_present = {true}};
    struct boot b = {.kernel = {image, sizeof image, "bytes"}, .cmdline = ""};
    struct vcpu *v = aligned_alloc(64, (sizeof *v + 63) & ~63ul);
    struct pc *pc = calloc(1, pc_size());
    struct boot_error e = {""};
    struct result r = {0};
    const char *why = "";
    void *memory[] = {calloc(1, RAM), calloc(RAM >> GUEST_PAGE_SHIFT, 1), calloc(1, interp_size())};

    for (unsigned i = 0; i < ARRAY_LEN(header); i++)
        put_le32(image + 4 * i, header[i]);
    cr_assert(HEADER + (size_t)(guest_end - guest_begin) <= sizeof image);
    memcpy(image + HEADER, guest_begin, (size_t)(guest_end - guest_begin));
    memset(v, 0, sizeof *v);
    vm_assemble(&vm, &(struct vm_parts){.host = &host,
                                        .cpu_host = &cpu_host,
                                        .ram = memory[0],
                                        .ram_size = RAM,
                                        .page = memory[1],
                                        .cpu = v,
                                        .interp = memory[2],
                                        .cpu_model = cpu_model_at(0)});
    vm_wire_pc(&vm, pc, &cfg);
    cr_assert_eq(pc_init(pc, &cfg, &why), 0, "%s", why);
    b.kind = boot_recognise(&b.kernel, &e);
    cr_assert_eq(boot_start(&b, &vm, pc, NULL, &e), 0, "%s", e.text);
    do
        r.reason = vcpu_run(v, 300000);
    while (r.reason == EXIT_SLICE && ++r.slices < 10000);
    memcpy(&r.mixed, (uint8_t *)memory[0] + RESULT, 4);
    r.insns = v->stats.insns;
    for (unsigned n = 0; n < ARRAY_LEN(memory); n++)
        free(memory[n]);
    free(pc);
    free(v);
    return r;
}

Test(host_event, what_is_recorded_happens_again)
{
    struct result first, again, other;

    tape.entry = calloc(ENTRIES, sizeof *tape.entry);
    tape.seed = 7;
    first = live();
    cr_expect(first.reason == EXIT_DEBUG_EXIT && first.slices > 5, "%u %u", first.reason,
              first.slices);
    cr_expect(tape.events > 20 && tape.breaks > 2, "%u %u", tape.events, tape.breaks);
    tape.repeats = true;
    tape.seed = tape.now = 0; /* nothing of the host's state is left */
    again = live();
    cr_expect(!tape.strayed && tape.taken == tape.used, "%u of %u", tape.taken, tape.used);
    cr_expect(again.mixed == first.mixed && again.insns == first.insns &&
              again.slices == first.slices);
    /* Other numbers make another run: the guest does depend on them. */
    tape.repeats = false;
    tape.used = 0;
    tape.seed = 2;
    other = live();
    cr_expect(other.reason == EXIT_DEBUG_EXIT && other.mixed != first.mixed);
}

/* ---- a board that only remembers ---- */

static struct host_event got[16];
static unsigned got_count, room_left;

static int no_ack(void *board, unsigned cpu)
{
    (void)board, (void)cpu;
    return -1;
}
static ns_t never(void *board, ns_t now)
{
    (void)board, (void)now;
    return NS_NEVER;
}
static void some_room(void *board, struct host_room *room)
{
    (void)board;
    cr_expect(room->serial[0] == 0 && room->serial[3] == 0);
    room->serial[2] = (uint8_t)room_left;
}
static void remember(void *board, const struct host_event *e)
{
    (void)board;
    cr_assert(got_count < ARRAY_LEN(got));
    got[got_count++] = *e;
    room_left -= e->len;
}
static const struct board_ops board = {
    .intr_ack = no_ack, .run_until = never, .event_room = some_room, .event = remember};

/* The Linux host's consoles: who typed what, in which order, and what the board has no room for. */
Test(host_event, consoles)
{
    static struct linux_host h;
    static struct console console[5];
    static struct vm vm;
    struct vcpu *v = aligned_alloc(64, (sizeof *v + 63) & ~63ul);

    memset(v, 0, sizeof *v);
    h.console = console;
    h.consoles = ARRAY_LEN(console);
    clock_init(&h.clock);
    h.host = (struct vmm_host){
        .opaque = &h, .now_ns = clock_now, .next_event = console_next_event, .guest_tsc_khz = 1000};
    vm_assemble(&vm, &(struct vm_parts){.host = &h.host,
                                        .cpu_host = &cpu_host,
                                        .ram = calloc(1, RAM),
                                        .ram_size = RAM,
                                        .page = calloc(RAM >> GUEST_PAGE_SHIFT, 1),
                                        .cpu = v,
                                        .interp = calloc(1, interp_size())});
    vm.board_ops = &board;
    vm.next_deadline = NS_NEVER;
    vcpu_reset(v);
    v->halted = true;
    memcpy(console[2].in, "abcdefgh", 8);
    console[2].in_head = 8;
    console[2].asked = ASKED_BREAK | ASKED_QUIT;
    console[4].asked = ASKED_BREAK | ASKED_POWER_BUTTON; /* the debug port's has no line to break */
    room_left = 5;
    ns_t before = clock_now(&h.clock);
    cr_expect_eq(vcpu_run(v, 1000000), EXIT_SHUTDOWN_HALT);
    cr_assert_eq(got_count, 3);
    cr_expect(got[0].kind == HOST_SERIAL_BREAK && got[0].unit == 2);
    cr_expect(got[1].kind == HOST_SERIAL_INPUT && got[1].unit == 2 && got[1].len == 5 &&
              !memcmp(got[1].bytes, "abcde", 5));
    cr_expect(got[2].kind == HOST_POWER_BUTTON);
    for (unsigned n = 0; n < 3; n++)
        cr_expect(got[n].at >= before && got[n].at <= clock_now(&h.clock));
    cr_expect(console[2].asked == ASKED_QUIT && !console[4].asked, "quitting is not the guest's");
    cr_expect_eq(console_input(&console[2]), 3, "the rest stays");
    got_count = 0;
    room_left = 64;
    v->id = 1; /* the board is CPU 0's affair */
    vcpu_run(v, 1000000);
    cr_expect_eq(got_count, 0);
    v->id = 0;
    vcpu_run(v, 1000000);
    cr_expect(got_count == 1 && got[0].len == 3 && !memcmp(got[0].bytes, "fgh", 3));
}
