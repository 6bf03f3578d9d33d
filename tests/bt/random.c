/* SPDX-License-Identifier: MIT */
/*
 * random.c - bt-random: runs random instruction sequences twice from the same state, interpreted
 * and translated, those of user level also on the CPU itself, and compares everything: registers,
 * FPU, RAM, how it ended. The first difference is made as small as it gets, shown, and ends the run
 * with status 1.
 *
 * Use        bt-random [--seed N] [--count N] [--seconds N] [--drop I,J...] [--case FILE] [--show]
 *            [--self] [--plain] [--calm] [--kick MICROSECONDS] [--tries N] [--fails N]
 *            [--native PROGRAM] [--progress] [--coverage]. --drop
 *            replaces instructions of the one case by NOPs, --case runs "SEED [I,J...]" of each
 *            line of a file, --show prints cases before they run, --self compares the interpreter
 *            with itself, --plain runs with the translator's default options, --kick sets how often
 *            the CPU is asked to look up, --tries how often a case runs until it counts as one
 *            without a difference while it is reduced, --fails goes on until N differences are
 *            found, --native has user-level cases judged by the CPU too (native.c), --progress says
 *            now and then where to go on, --coverage lists what of the decoder's table is not among
 *            the cases and runs none.
 * Repeats    A case depends on its seed only, and on the cases before it in its batch of 64 through
 *            what the translator has kept of them. Ten thousand times a second the CPU is asked to
 *            look
 *            up (bt_break_in()), so a bug may need several tries; --calm leaves that out.
 */
#include "tests/bt/bt_random.h"

#include <getopt.h>
#include <sys/time.h>
#include <time.h>

#include "monitor/cpu/fpu_image.h"

/* Looks at the clock until an interpreted case is endless: some tens of thousands of instructions.
 * The translator looks for statistics too; it has time until PATIENCE is over. That counts kicks
 * that it answered: on a host that is stuck the time passes without any. */
#define LOOKS_MAX     30u
#define TRACED_MAX    100000u  /* the same when every instruction looks */
#define KICK_US       100      /* usually; see --kick */
#define PATIENCE_US   3000000u /* answered kicks until a case that goes on is ended, in time */
#define HANG_US       100000000u
#define DROP_TEXT_MAX 512u

uint64_t fuzz_state;

static struct {
    struct bt_rig interpreted, translated;
    uint8_t image[RAM_BYTES];
    struct bt_case c;
    uint64_t batch;
    bool show, self, plain, calm, native, coverage, progress;
    unsigned tries, kick_us;
    FILE *found; /* what differed when it was found, as text in found_text */
    char *found_text;
    size_t found_bytes;
    unsigned long long done, endless, fails, fails_wanted, excused;
    unsigned ends[EXIT_COUNT];
    volatile uint64_t seed;
    volatile unsigned looks, kicks, answered;
    volatile uint64_t exits; /* at the last kick */
    uint64_t device_looks;   /* when the case began */
    bool traced;             /* every instruction looks at the clock */
    bool over;
} t = {.batch = ~0ull, .tries = 1, .kick_us = KICK_US, .fails_wanted = 1};

/* ---- time ---- */

/* Looks that accesses to devices take. */
static uint64_t device_looks(const struct vcpu *v)
{
    return v->stats.port_reads + v->stats.port_writes + v->stats.mmio_reads + v->stats.mmio_writes;
}

/* Stands still until the case is over for its length. */
static ns_t look(void *opaque)
{
    struct bt_rig *r = opaque;

    if (r == &t.interpreted)
        t.over |=
            ++t.looks > (t.traced ? TRACED_MAX : LOOKS_MAX + device_looks(r->cpu) - t.device_looks);
    else
        t.over |= t.answered > PATIENCE_US / t.kick_us;
    return t.over ? r->world.now + 10 * NS_PER_SEC : r->world.now;
}

static void say_seed(void)
{
    char line[200];

    bt_rig_say(line,
               snprintf(line, sizeof line,
                        "bt-random: in seed %llu (of the batch that begins with %llu)\n",
                        (unsigned long long)t.seed, (unsigned long long)(t.seed / BATCH * BATCH)));
}

/* Times that the translator came out of the cache. */
static uint64_t exits(const struct vcpu *v)
{
    const struct vcpu_stats *s = &v->stats;

    return s->exit_trap + s->exit_dispatch + s->exit_lookup + s->exit_chain + s->exit_break +
           s->bt_interpreted;
}

static void on_kick(int sig, siginfo_t *info, void *context)
{
    struct bt_rig *r = bt_rig_running;

    (void)sig, (void)info;
    if (!r)
        return;
    if (exits(r->cpu) != t.exits) {
        t.exits = exits(r->cpu);
        t.answered++;
    }
    if (++t.kicks > HANG_US / t.kick_us) {
        bt_rig_say("hangs\n", 6);
        say_seed();
        _exit(1);
    }
    if (t.calm && t.kicks <= PATIENCE_US / t.kick_us)
        return;
    vcpu_attend(r->cpu, ATT_KICK);
    host_trap_break_in(r->cpu, context);
}

/* ---- one case ---- */

enum verdict { SAME, ENDLESS, DIFFERENT };

static unsigned run(struct bt_rig *r)
{
    state_apply(&t.c, t.image, r);
    r->world.ferr = false;
    t.looks = t.kicks = t.answered = 0;
    t.device_looks = device_looks(r->cpu);
    t.over = false;
    return bt_rig_run(r);
}

/* Once more, interpreted; it is known to come to an end. */
static unsigned run_traced(struct bt_rig *r)
{
    t.traced = true;
    unsigned end = run(r);
    t.traced = false;
    return end;
}

static unsigned differences(unsigned a, unsigned b, FILE *out)
{
    unsigned n = compare(&t.interpreted, &t.translated, out);

    if (a == b)
        return n;
    if (out)
        fprintf(out, "  ends           interpreted by exit %u   translated by exit %u%s\n", a, b,
                b == EXIT_SLICE ? " (does not end)" : "");
    return n + 1;
}

/* Runs t.c both ways; what differs goes to `out`. */
static enum verdict run_both(FILE *out)
{
    state_image(&t.c, t.image);
    unsigned a = run(&t.interpreted);
    if (a == EXIT_SLICE || t.over) /* it may have seen the clock jump */
        return ENDLESS;
    unsigned b = run(&t.translated);
    t.ends[a]++;
    if (differences(a, b, out))
        return DIFFERENT;
    return t.native && native_compare(&t.c, t.image, &t.interpreted, out) ? DIFFERENT : SAME;
}

static void fresh(void)
{
    static const struct bt_options defaults;

    interp_flush(t.interpreted.cpu);
    interp_flush(t.translated.cpu);
    bt_rig_options(&t.translated, t.plain ? &defaults : &t.c.options);
}

static void make(uint64_t seed)
{
    t.seed = seed;
    case_make(&t.c, seed, &t.interpreted.vm.decoder);
    if (seed / BATCH != t.batch) {
        t.batch = seed / BATCH;
        fresh();
    }
}

/* ---- a difference ---- */

/* Does it show without what the translator kept from the cases before? */
static bool differs_alone(void)
{
    for (unsigned n = 0; n < t.tries; n++) {
        fresh();
        if (run_both(NULL) == DIFFERENT)
            return true;
    }
    return false;
}

static void minimise(void)
{
    for (unsigned pass = 0; pass < 2; pass++)
        for (unsigned n = 0; n < t.c.count; n++) {
            if (t.c.insn[n].dropped)
                continue;
            t.c.insn[n].dropped = true;
            if (!differs_alone())
                t.c.insn[n].dropped = false;
        }
}

static void drop_text(char *out)
{
    unsigned len = 0;

    *out = 0;
    for (unsigned n = 0; n < t.c.count; n++)
        if (t.c.insn[n].dropped)
            len += (unsigned)snprintf(out + len, DROP_TEXT_MAX - len, "%s%u", len ? "," : "", n);
}

static void report(void)
{
    char drop[DROP_TEXT_MAX];
    unsigned long long first = t.seed / BATCH * BATCH;
    bool alone = differs_alone();

    if (alone) {
        minimise();
        fresh();
    } else { /* the whole batch up to here */
        uint64_t seed = t.seed;
        t.batch = ~0ull;
        for (uint64_t s = first; s < seed; s++) {
            make(s);
            run_both(NULL);
        }
        make(seed);
    }
    drop_text(drop);
    printf("\nseed %llu: interpreter, translator%s differ\n", (unsigned long long)t.seed,
           t.native ? " or CPU" : "");
    case_print(&t.c, &t.interpreted.vm.decoder, stdout);
    if (run_both(stdout) != DIFFERENT)
        printf("  ... but not when it ran again: %s. It was:\n%s",
               alone ? "a matter of timing" : "of timing, or of cases before the batch",
               t.found_text);
    if (alone)
        printf("again: bt-random --seed %llu%s%s\n", (unsigned long long)t.seed,
               *drop ? " --drop " : "", drop);
    else
        printf("only after others: bt-random --seed %llu --count %llu\n", first,
               (unsigned long long)t.seed - first + 1);
    fflush(stdout);
    t.batch = ~0ull;
}

/* False: enough. */
static bool judge(void)
{
    enum verdict verdict;

    if (t.show) {
        printf("seed %llu\n", (unsigned long long)t.seed);
        case_print(&t.c, &t.interpreted.vm.decoder, stdout);
        fflush(stdout);
    }
    t.done++;
    rewind(t.found);
    verdict = run_both(t.found);
    fputc(0, t.found);
    fflush(t.found);
    switch (verdict) {
    case SAME:
        return true;
    case ENDLESS:
        t.endless++;
        return true;
    case DIFFERENT:
        break;
    }
    report();
    return ++t.fails < t.fails_wanted;
}

static void drop_these(const char *list)
{
    char *end;

    while (*list) {
        unsigned long n = strtoul(list, &end, 10);
        if (end == list)
            break;
        if (n < t.c.count)
            t.c.insn[n].dropped = true;
        list = *end ? end + 1 : end;
    }
}

static bool run_one(uint64_t seed, const char *drop)
{
    make(seed);
    drop_these(drop);
    return judge();
}

static int run_file(const char *path)
{
    FILE *f = fopen(path, "r");
    unsigned long long seed;
    char line[1024], drop[1024];

    if (!f) {
        perror(path);
        return 2;
    }
    while (fgets(line, sizeof line, f)) {
        int fields = sscanf(line, "%llu %1023s", &seed, drop);
        if (fields < 1)
            continue;
        t.batch = ~0ull;
        if (!run_one(seed, fields > 1 ? drop : ""))
            break;
    }
    fclose(f);
    return t.fails != 0;
}

/* ---- the program ---- */

static void build(void)
{
    struct itimerval every = {{0, t.kick_us}, {0, t.kick_us}};

    if (!(t.found = open_memstream(&t.found_text, &t.found_bytes)))
        bt_rig_no_memory();
    bt_rig_last_words = say_seed;
    bt_rig_signals();
    bt_rig_create(&t.interpreted, RAM_BYTES, false);
    bt_rig_create(&t.translated, RAM_BYTES, !t.self);
    t.interpreted.host.now_ns = t.translated.host.now_ns = look;
    bt_rig_break_signal(on_kick);
    setitimer(ITIMER_REAL, &every, NULL);
}

static void say_totals(void)
{
    const struct vcpu_stats *a = &t.interpreted.cpu->stats, *b = &t.translated.cpu->stats;

    printf("%llu cases, %llu endless, %llu different, %llu excused; %llu instructions, %llu "
           "exceptions\n",
           t.done, t.endless, t.fails, t.excused, (unsigned long long)a->insns,
           (unsigned long long)a->exceptions);
    printf("translated: %llu blocks, %llu callouts, %llu traps, %llu interpreted; %llu break-ins, "
           "%llu steps\n",
           (unsigned long long)b->bt_blocks, (unsigned long long)b->bt_callouts,
           (unsigned long long)b->exit_trap, (unsigned long long)b->bt_interpreted,
           (unsigned long long)b->break_ins, (unsigned long long)b->break_steps);
    native_totals(stdout);
}

/* Where a run that is broken off can go on, now and then. */
#define PROGRESS_CASES 10000u

static void say_progress(uint64_t next)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    fprintf(stderr, "%llu cases, %llu different, %ld s of CPU time; next is --seed %llu\n", t.done,
            t.fails, (long)now.tv_sec, (unsigned long long)next);
}

static int usage(void)
{
    fprintf(stderr, "usage: bt-random [--seed N] [--count N] [--seconds N] [--drop I,J...] [--case "
                    "FILE] [--show] "
                    "[--self] [--plain] [--calm] [--kick MICROSECONDS] [--tries N] [--fails N] "
                    "[--native PROGRAM] [--progress] [--coverage]\n");
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"seed", required_argument, NULL, 's'},    {"count", required_argument, NULL, 'n'},
        {"seconds", required_argument, NULL, 't'}, {"drop", required_argument, NULL, 'd'},
        {"case", required_argument, NULL, 'c'},    {"tries", required_argument, NULL, 'r'},
        {"kick", required_argument, NULL, 'k'},    {"fails", required_argument, NULL, 'f'},
        {"show", no_argument, NULL, 'v'},          {"self", no_argument, NULL, 'S'},
        {"plain", no_argument, NULL, 'p'},         {"calm", no_argument, NULL, 'q'},
        {"progress", no_argument, NULL, 'P'},      {"coverage", no_argument, NULL, 'C'},
        {"native", required_argument, NULL, 'N'},  {0}};
    unsigned long long first = 0, count = 0, seconds = 0;
    const char *drop = "", *file = NULL, *companion = NULL;
    int opt;

    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1)
        switch (opt) {
        case 's':
            first = strtoull(optarg, NULL, 0);
            break;
        case 'n':
            count = strtoull(optarg, NULL, 0);
            break;
        case 't':
            seconds = strtoull(optarg, NULL, 0);
            break;
        case 'd':
            drop = optarg;
            break;
        case 'c':
            file = optarg;
            break;
        case 'f':
            t.fails_wanted = strtoull(optarg, NULL, 0);
            break;
        case 'r':
            t.tries = (unsigned)strtoul(optarg, NULL, 0);
            break;
        case 'k':
            t.kick_us = (unsigned)strtoul(optarg, NULL, 0);
            break;
        case 'v':
            t.show = true;
            break;
        case 'S':
            t.self = true;
            break;
        case 'p':
            t.plain = true;
            break;
        case 'q':
            t.calm = true;
            break;
        case 'P':
            t.progress = true;
            break;
        case 'C':
            t.coverage = true;
            break;
        case 'N':
            companion = optarg;
            break;
        default:
            return usage();
        }
    if (optind < argc)
        return usage();
    if (!count && !seconds)
        count = 1;
    if (companion && !(t.native = native_start(companion, run_traced)))
        printf("no 32-bit processes on this host: nothing is compared with the CPU\n");
    build();
    if (file)
        return run_file(file);
    if (t.coverage) {
        coverage(first, count, &t.interpreted.vm.decoder, stdout);
        return 0;
    }
    time_t end = time(NULL) + (time_t)seconds;
    for (uint64_t n = 0; count ? n < count : time(NULL) < end; n++) {
        if (!run_one(first + n, drop))
            break;
        if (t.progress && n % PROGRESS_CASES == PROGRESS_CASES - 1)
            say_progress(first + n + 1);
    }
    say_totals();
    return t.fails != 0;
}
