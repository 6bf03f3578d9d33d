/* SPDX-License-Identifier: MIT */
/* engine.c - the table of engines: who comes first gets what it takes, the interpreter the rest.
 * And the listeners and watchers that hear of memory. uses: monitor/cpu monitor/memory */
#include "tests/rig/interp_rig.h"

#include "monitor/cpu/engine.h"
#include "monitor/memory/code_map.h"
#include "monitor/memory/page.h"

#define MINE (RIG_EIP + 1) /* the address that the test's engine takes */

static unsigned runs, wakes, raised;

static bool takes(struct vcpu *v)
{
    return v->eip == MINE;
}

/* "Executes" two instructions; the second time, the first of them faults. */
static void run(struct vcpu *v)
{
    if (++runs == 2) {
        raised++;
        fault_ud(v);
    }
    v->eip = v->next_eip = MINE + 2;
}

static void woken(struct vcpu *v)
{
    (void)v;
    wakes++;
}

static const struct engine engine = {
    .name = "test", .takes = takes, .run = run, .woken = woken, .needs_alarm = true};

static void one(struct vcpu *v, void *arg)
{
    (void)arg;
    v->attention = ATT_KICK; /* after one round of the interpreter */
    engine_now(v)->run(v);
}

Test(engine, the_first_that_takes_it)
{
    static const uint8_t code[] = {0x40, 0xf4, 0xf4, 0x41, 0xf4}; /* inc eax; -; -; inc ecx; hlt */
    struct rig *r = rig_new();
    struct vcpu *v = &r->cpu;
    struct fault f;

    cr_assert(v->engine_count == 1 && v->engine[0] == &interp_engine && !v->needs_alarm);
    engine_add(v, &engine);
    engine_add(v, &engine);
    cr_assert(v->engine_count == 2 && v->engine[0] == &engine && v->needs_alarm);
    memcpy(r->vm.ram + RIG_EIP, code, sizeof code);
    vm_ram_written(&r->vm, RIG_EIP, sizeof code);
    cr_expect(engine_now(v) == &interp_engine);
    v->shadow = SHADOW_STI; /* one instruction at a time */
    cr_expect(!fault_catch(v, one, NULL, &f) && v->eip == MINE && v->gpr[EAX] == 1);
    cr_expect(engine_now(v) == &engine && !fault_catch(v, one, NULL, &f));
    cr_expect(runs == 1 && v->eip == MINE + 2);
    cr_expect(!fault_catch(v, one, NULL, &f) && v->gpr[ECX] == 1 && v->eip == MINE + 3);
    v->eip = MINE;
    cr_expect(fault_catch(v, one, NULL, &f) && f.vector == VEC_UD && raised == 1);
    engines_woken(v);
    cr_expect_eq(wakes, 1);
}

Test(engine, who_asks_for_single_instructions)
{
    struct rig *r = rig_new();
    struct vcpu *v = &r->cpu;

    cr_expect(!engine_single(v));
    v->shadow = SHADOW_MOVSS;
    cr_expect(engine_single(v));
    v->shadow = 0;
    v->eflags |= EFL_TF;
    cr_expect(engine_single(v));
    v->eflags = EFL_FIXED1 | EFL_RF;
    cr_expect(engine_single(v));
    v->eflags = EFL_FIXED1;
    v->dr_armed = true;
    v->dr[7] = 0x10400 | 2; /* data writes: no instruction breakpoint */
    cr_expect(!engine_single(v));
    v->dr[7] = 0x400 | 2;
    cr_expect(engine_single(v));
}

/* ---- what engines say of a bug of ours ---- */

static void one_line(const struct vcpu *v, uint64_t rip, struct engine_report *out)
{
    engine_say(out, "test: eip 0x%08x rip 0x%llx", v->eip, (unsigned long long)rip);
}

static void no_end(const struct vcpu *v, uint64_t rip, struct engine_report *out)
{
    (void)v, (void)rip;
    out->monitor_stack = 0x1230;
    for (unsigned n = 0; n < 1000; n++)
        engine_say(out, "line %u", n);
}

Test(engine, report)
{
    static const struct engine says = {.name = "says", .takes = takes, .report = one_line};
    static const struct engine floods = {.name = "floods", .takes = takes, .report = no_end};
    struct rig *r = rig_new();
    static struct engine_report out;
    char guard = 0x55;

    memset(&out, guard, sizeof out);
    engines_report(&r->cpu, 1, &out); /* the interpreter has nothing to say */
    cr_expect(!out.len && !out.text[0] && !out.monitor_stack);
    engine_add(&r->cpu, &floods);
    engine_add(&r->cpu, &says); /* the first in the table */
    r->cpu.eip = 0x1234;
    engines_report(&r->cpu, 0x5678, &out);
    cr_expect(out.monitor_stack == 0x1230 && out.len < sizeof out.text &&
              strlen(out.text) == out.len);
    cr_expect(strncmp(out.text, "test: eip 0x00001234 rip 0x5678\r\nline 0\r\nline 1\r\n", 49) ==
              0);
    cr_expect(!memcmp(out.text + out.len - 2, "\r\n", 2));
}

/* ---- who hears of memory ---- */

static struct {
    unsigned all, nonglobal, page, region, changed;
    gpa_t at;
} heard;

static void flushed(struct vcpu *v, enum flush_kind kind, gla_t gla)
{
    (void)v, (void)gla;
    heard.all += kind == FLUSH_ALL;
    heard.nonglobal += kind == FLUSH_NONGLOBAL;
    heard.page += kind == FLUSH_PAGE;
    heard.region += kind == FLUSH_REGION;
}

static void page_changed(struct vcpu *v, gpa_t page)
{
    (void)v;
    heard.changed++;
    heard.at = page;
}

static const struct mmu_listener listener = {.flushed = flushed, .page_changed = page_changed};

Test(engine, listeners)
{
    struct rig *r = rig_new();
    struct vcpu *v = &r->cpu;
    uint32_t generation = v->fetch_generation;

    mmu_listen(v, &listener);
    mmu_listen(v, &listener); /* hears once all the same */
    mmu_flush_all(v);
    mmu_flush_nonglobal(v);
    mmu_flush_page(v, 0x5123);
    cr_expect(heard.all == 1 && heard.nonglobal == 1 && heard.page == 1 && !heard.region);
    cr_expect_eq(v->fetch_generation, generation + 3);
    vm_set_page_kind(&r->vm, 0x7000, 4096, PAGE_ROM);
    cr_expect(heard.changed == 1 && heard.at == 0x7000);
    vm_set_page_kind(&r->vm, 0x7000, 4096, PAGE_ROM);
    cr_expect(heard.changed == 1, "nothing changed");
    vm_set_a20(&r->vm, !r->vm.a20);
    cr_expect_eq(heard.all, 2);
}

struct watch {
    unsigned written, marked, first, last;
    bool holds;
};

static void written(void *self, gpa_t page, unsigned first, unsigned last)
{
    struct watch *w = self;

    cr_expect_eq(page, 0x9000);
    w->written++;
    w->first = first;
    w->last = last;
}
static bool holds(void *self, gpa_t page)
{
    return page == 0x9000 && ((struct watch *)self)->holds;
}
static void marked(void *self, gpa_t page)
{
    ((struct watch *)self)->marked += page == 0x9000;
}

Test(engine, watchers)
{
    static const struct page_watcher code = {
        .mark = PAGE_TRANSLATED, .written = written, .holds = holds, .marked = marked};
    static const struct page_watcher log = {
        .mark = PAGE_LOGGED, .same_too = true, .written = written};
    struct watch a = {.holds = true}, b = {.holds = true}, c = {.holds = false};
    struct rig *r = rig_new();
    struct vm *vm = &r->vm;

    page_watch(vm, &code, &a);
    page_watch(vm, &code, &b);
    page_watch(vm, &log, &c);
    phys_write(vm, 0x9010, 4, 1);
    cr_expect(!a.written && !c.written, "nobody has marked it");
    page_mark(vm, 0x9000, PAGE_TRANSLATED);
    page_mark(vm, 0x9000, PAGE_TRANSLATED);
    cr_expect(a.marked == 2 && vm->page[9] == PAGE_TRANSLATED);
    phys_write(vm, 0x9010, 4, 1);
    cr_expect(!a.written, "no byte changed");
    phys_write(vm, 0x9010, 4, 2);
    cr_expect(a.written == 1 && b.written == 1 && a.first == 0x10 && a.last == 0x13 && !c.written);
    page_mark(vm, 0x9000, PAGE_LOGGED);
    phys_write(vm, 0x9010, 4, 2);
    cr_expect(a.written == 1 && c.written == 1, "the log hears of all stores");
    vm_ram_written(vm, 0x8ff0, 0x20);
    cr_expect(a.written == 2 && a.first == 0 && a.last == 0xf && c.written == 2, "DMA");
    a.holds = false;
    page_unmark(vm, 0x9000, PAGE_TRANSLATED);
    cr_expect(vm->page[9] & PAGE_TRANSLATED, "the other one needs it still");
    b.holds = false;
    page_unmark(vm, 0x9000, PAGE_TRANSLATED);
    cr_expect_eq(vm->page[9], PAGE_LOGGED);
}

/* ---- code maps ---- */

struct coded {
    struct code_map map;
    struct code_page pages[4], *hash[2]; /* 0x9000 and 0xb000 share a bucket */
};

static bool map_holds(void *self, gpa_t page)
{
    return code_map_holds(&((struct coded *)self)->map, page);
}
static void map_bits(void *self, gpa_t page, uint8_t *bits)
{
    code_map_bits(&((struct coded *)self)->map, page, bits);
}
static void map_written(void *self, gpa_t page, unsigned first, unsigned last)
{
    (void)self, (void)page, (void)first, (void)last;
}

static void coded_init(struct vm *vm, struct coded *c)
{
    static const struct page_watcher watcher = {
        .mark = PAGE_TRANSLATED, .written = map_written, .holds = map_holds, .code_bits = map_bits};

    memset(c, 0, sizeof *c);
    code_map_init(&c->map, PAGE_TRANSLATED, c->pages, sizeof *c->pages, ARRAY_LEN(c->pages),
                  c->hash, ARRAY_LEN(c->hash) - 1);
    page_watch(vm, &watcher, c);
}

static void coded_add(struct vm *vm, struct coded *c, gpa_t page, struct code_range *r)
{
    struct code_page *p = code_map_find(&c->map, page);

    code_map_add(&c->map, vm, p ? p : code_map_page_add(&c->map, page), r);
}

Test(engine, code_maps)
{
    static struct coded a, b; /* two CPUs' */
    struct code_range low = {.first = 3, .last = 9}, high = {.first = 60, .last = 130};
    struct code_range other = {.first = 8, .last = 8}, far = {.first = 0, .last = 4095};
    uint8_t bits[GUEST_PAGE_SIZE / 8] = {0};
    struct rig *r = rig_new();
    struct vm *vm = &r->vm;

    coded_init(vm, &a);
    coded_init(vm, &b);
    coded_add(vm, &a, 0x9000, &low);
    coded_add(vm, &a, 0x9000, &high);
    coded_add(vm, &a, 0xb000, &far);
    coded_add(vm, &b, 0x9000, &other);
    cr_expect(vm->page[9] == PAGE_TRANSLATED && vm->page[11] == PAGE_TRANSLATED);
    page_code_bits(vm, 0x9000, bits);
    cr_expect(bits[0] == 0xf8 && bits[1] == 0x03 && !bits[2] && bits[7] == 0xf0 &&
              bits[16] == 0x07 && !bits[17]);
    cr_expect(!code_map_take(&a.map, vm, 0x9000, 10, 59), "between the two");
    cr_expect(!code_map_take(&a.map, vm, 0xa000, 0, 4095), "no such page");
    cr_expect(code_map_take(&a.map, vm, 0x9000, 9, 60) == &low && low.next == &high && !high.next,
              "both");
    cr_expect(!code_map_holds(&a.map, 0x9000) && code_map_holds(&b.map, 0x9000));
    cr_expect(vm->page[9] & PAGE_TRANSLATED, "the other CPU's map needs the mark");
    code_map_remove(&b.map, vm, 0x9000, &low);
    cr_expect(code_map_holds(&b.map, 0x9000), "it was not there");
    code_map_remove(&b.map, vm, 0x9000, &other);
    cr_expect(!(vm->page[9] & PAGE_TRANSLATED), "nobody needs it");
    cr_expect(code_map_find(&a.map, 0x9000), "the record stays");
    code_map_forget(&a.map, vm);
    cr_expect(!(vm->page[11] & PAGE_TRANSLATED) && !code_map_find(&a.map, 0x9000) &&
              code_map_has_room(&a.map, 4) && !code_map_has_room(&a.map, 5));
}
