/* SPDX-License-Identifier: MIT */
/*
 * string.c - MOVS CMPS STOS LODS SCAS and the repeat loop.
 *
 * Promises   REP is exact at every fault and interruption. Copying and filling go by whole runs
 *            inside a page when DF is 0, the segment limits hold and both pages are plain RAM;
 *            overlapping copies give what the element-wise forward copy gives, because the run
 *            is executed by the host's own string instruction of that size.
 * Source     SDM vol. 2A: CMPS, LODS; vol. 2B: MOVS, REP, SCAS, STOS; vol. 1, section 7.3.9.
 * Not here   INS and OUTS (io.c).
 */
#include "monitor/interp/alu.h"
#include "monitor/interp/rep.h"

/* ---- the loop ---- */

static inline uint32_t attention_now(const struct vcpu *v)
{
    return __atomic_load_n(&v->attention, __ATOMIC_RELAXED);
}

void rep_loop(struct vcpu *v, const struct insn *i, rep_step_fn *step, rep_run_fn *run,
              uint32_t urgent)
{
    bool single = v->eflags & EFL_TF;
    uint32_t left, done, work = 0;

    if (!(i->prefixes & (PFX_REP | PFX_REPNE))) {
        step(v, i);
        return;
    }
    if (v->rf_lent) { /* nothing happened in between */
        v->rf_lent = false;
        v->eflags &= ~EFL_RF;
    }
    while ((left = rep_reg(v, i, ECX)) != 0) {
        bool goes_on = true;

        done = run && !single ? run(v, i, left) : 0;
        if (done == 0) {
            goes_on = step(v, i);
            done = 1;
        }
        rep_reg_add(v, i, ECX, 0u - done);
        if (!goes_on || done == left)
            return;
        work += done == 1 ? REP_STEP_COST : done / REP_RUN_GAIN + 1;
        if (single || (attention_now(v) & urgent) || work >= REP_BATCH) {
            v->next_eip = v->eip;
            v->outcome |= DID_PART;
            /* An event taken here finds RF set in its image (SDM vol. 3B, section 18.3.1.1). */
            v->rf_lent = !(v->eflags & EFL_RF);
            v->eflags |= EFL_RF;
            vcpu_attend(v, ATT_MODE); /* what follows in the decoded block is not next */
            return;
        }
    }
}

/* What a step can set off that must be seen before the next one. */
#define STRING_URGENT (ATT_SMC | ATT_MODE | ATT_TRAP | ATT_EXIT)

/* ---- runs ---- */

/* Alignment checking is on: every element must be looked at. */
static inline bool alignment_checked(const struct vcpu *v)
{
    return v->cpl == 3 && (v->cr0 & CR0_AM) && (v->eflags & EFL_AC);
}

/* Host address of seg:[off...) and in *len how many bytes from there lie inside the segment, below
 * the wrap of the address size, and in one page of plain RAM: at least one element. NULL: go
 * element by element; A and D are as they were then, because the element may fault. */
static uint8_t *run_open(struct vcpu *v, const struct insn *i, unsigned seg, uint32_t off,
                         bool write, uint32_t *len)
{
    const struct seg *s = &v->seg[seg];
    uint64_t room, wrap = (i->addr_size == 2 ? 0x10000ull : 0x100000000ull) - off;
    uint8_t *host;

    if (!(s->acc & (write ? SEG_ACC_W : SEG_ACC_R)) || off < s->lo || off > s->hi)
        return NULL;
    room = (uint64_t)s->hi - off + 1;
    if (room > wrap)
        room = wrap;
    if (room < i->opsize || GUEST_PAGE_SIZE - ((s->base + off) & GUEST_PAGE_MASK) < i->opsize)
        return NULL;
    host = lin_run(v, s->base + off, lin_how(v) | (write ? MMU_WRITE : MMU_READ), len);
    if (!host)
        return NULL;
    if (*len > room)
        *len = (uint32_t)room;
    return host;
}

static inline uint32_t min3(uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t m = a < b ? a : b;

    return m < c ? m : c;
}

static uint32_t movs_run(struct vcpu *v, const struct insn *i, uint32_t max)
{
    uint32_t src_len, dst_len, n, count;
    const uint8_t *src;
    uint8_t *dst;

    if ((v->eflags & EFL_DF) || alignment_checked(v))
        return 0;
    src = run_open(v, i, i->seg, rep_reg(v, i, ESI), false, &src_len);
    if (!src)
        return 0;
    dst = run_open(v, i, SEG_ES, rep_reg(v, i, EDI), true, &dst_len);
    if (!dst)
        return 0;
    n = count = min3(src_len / i->opsize, dst_len / i->opsize, max);
    if (n == 0)
        return 0;
    rep_reg_add(v, i, ESI, n * i->opsize);
    rep_reg_add(v, i, EDI, n * i->opsize);
    if (i->opsize == 4)
        __asm__ volatile("rep movsl" : "+S"(src), "+D"(dst), "+c"(count) : : "memory");
    else if (i->opsize == 2)
        __asm__ volatile("rep movsw" : "+S"(src), "+D"(dst), "+c"(count) : : "memory");
    else
        __asm__ volatile("rep movsb" : "+S"(src), "+D"(dst), "+c"(count) : : "memory");
    return n;
}

static uint32_t stos_run(struct vcpu *v, const struct insn *i, uint32_t max)
{
    uint32_t len, n, count;
    uint8_t *dst;

    if ((v->eflags & EFL_DF) || alignment_checked(v))
        return 0;
    dst = run_open(v, i, SEG_ES, rep_reg(v, i, EDI), true, &len);
    if (!dst)
        return 0;
    n = count = min3(len / i->opsize, max, max);
    if (n == 0)
        return 0;
    rep_reg_add(v, i, EDI, n * i->opsize);
    if (i->opsize == 4)
        __asm__ volatile("rep stosl" : "+D"(dst), "+c"(count) : "a"(v->gpr[EAX]) : "memory");
    else if (i->opsize == 2)
        __asm__ volatile("rep stosw" : "+D"(dst), "+c"(count) : "a"(v->gpr[EAX]) : "memory");
    else
        __asm__ volatile("rep stosb" : "+D"(dst), "+c"(count) : "a"(v->gpr[EAX]) : "memory");
    return n;
}

/* ---- steps ---- */

static bool movs_step(struct vcpu *v, const struct insn *i)
{
    uint32_t val = mem_read(v, i->seg, rep_reg(v, i, ESI), i->opsize), stride = rep_stride(v, i);

    mem_write(v, SEG_ES, rep_reg(v, i, EDI), i->opsize, val);
    rep_reg_add(v, i, ESI, stride);
    rep_reg_add(v, i, EDI, stride);
    return true;
}

static bool stos_step(struct vcpu *v, const struct insn *i)
{
    mem_write(v, SEG_ES, rep_reg(v, i, EDI), i->opsize, v->gpr[EAX]);
    rep_reg_add(v, i, EDI, rep_stride(v, i));
    return true;
}

static bool lods_step(struct vcpu *v, const struct insn *i)
{
    reg_put(v, EAX, i->opsize, mem_read(v, i->seg, rep_reg(v, i, ESI), i->opsize));
    rep_reg_add(v, i, ESI, rep_stride(v, i));
    return true;
}

void i_movs(struct vcpu *v, const struct insn *i)
{
    rep_loop(v, i, movs_step, movs_run, STRING_URGENT);
}

void i_stos(struct vcpu *v, const struct insn *i)
{
    rep_loop(v, i, stos_step, stos_run, STRING_URGENT);
}

void i_lods(struct vcpu *v, const struct insn *i)
{
    rep_loop(v, i, lods_step, NULL, STRING_URGENT);
}

/* ---- compares ---- */

/* Sets the flags of a - b. */
static void compare_flags(struct vcpu *v, unsigned size, uint32_t a, uint32_t b)
{
    uint8_t a8 = (uint8_t)a;
    uint16_t a16 = (uint16_t)a;

    if (size == 1)
        alu_cmp8(&v->eflags, &a8, (uint8_t)b);
    else if (size == 2)
        alu_cmp16(&v->eflags, &a16, (uint16_t)b);
    else
        alu_cmp32(&v->eflags, &a, b);
}

/* F3 goes on while equal, F2 while different. */
static inline bool while_equal(const struct insn *i)
{
    return !(i->prefixes & PFX_REPNE);
}

/* Ends one compare; says whether the repetition goes on. Only the last iteration sets the flags: a
 * fault or an interrupt in between shows those from before the instruction (SDM vol. 2B, REP), a
 * single-step trap those of its iteration. */
static bool compare_end(struct vcpu *v, const struct insn *i, uint32_t a, uint32_t b)
{
    bool goes_on = (a == b) == while_equal(i);

    if (!goes_on || !(i->prefixes & (PFX_REP | PFX_REPNE)) || rep_reg(v, i, ECX) == 1 ||
        (v->eflags & EFL_TF))
        compare_flags(v, i->opsize, a, b);
    return goes_on;
}

static bool cmps_step(struct vcpu *v, const struct insn *i)
{
    /* The destination first, as CPUs do: it decides which of two page faults comes. */
    uint32_t b = mem_read(v, SEG_ES, rep_reg(v, i, EDI), i->opsize);
    uint32_t a = mem_read(v, i->seg, rep_reg(v, i, ESI), i->opsize), stride = rep_stride(v, i);

    rep_reg_add(v, i, ESI, stride);
    rep_reg_add(v, i, EDI, stride);
    return compare_end(v, i, a, b);
}

static bool scas_step(struct vcpu *v, const struct insn *i)
{
    uint32_t b = mem_read(v, SEG_ES, rep_reg(v, i, EDI), i->opsize);

    rep_reg_add(v, i, EDI, rep_stride(v, i));
    return compare_end(v, i, reg_get(v, EAX, i->opsize), b);
}

typedef uint16_t u16_any __attribute__((aligned(1), may_alias));
typedef uint32_t u32_any __attribute__((aligned(1), may_alias));

static inline uint32_t load(const uint8_t *p, unsigned size)
{
    if (size == 1)
        return *p;
    return size == 2 ? *(const u16_any *)p : *(const u32_any *)p;
}

/* The runs leave the last iteration, which sets the flags, to the step. */
static uint32_t cmps_run(struct vcpu *v, const struct insn *i, uint32_t max)
{
    uint32_t a_len, b_len, n, k = 0;
    const uint8_t *a, *b;
    unsigned size = i->opsize;

    if ((v->eflags & EFL_DF) || alignment_checked(v))
        return 0;
    b = run_open(v, i, SEG_ES, rep_reg(v, i, EDI), false, &b_len); /* first, as cmps_step() */
    if (!b)
        return 0;
    a = run_open(v, i, i->seg, rep_reg(v, i, ESI), false, &a_len);
    if (!a)
        return 0;
    n = min3(a_len / size, b_len / size, max - 1);
    while (k < n && (load(a + k * size, size) == load(b + k * size, size)) == while_equal(i))
        k++;
    rep_reg_add(v, i, ESI, k * size);
    rep_reg_add(v, i, EDI, k * size);
    return k;
}

static uint32_t scas_run(struct vcpu *v, const struct insn *i, uint32_t max)
{
    uint32_t len, n, k = 0, acc = reg_get(v, EAX, i->opsize);
    const uint8_t *b;
    unsigned size = i->opsize;

    if ((v->eflags & EFL_DF) || alignment_checked(v))
        return 0;
    b = run_open(v, i, SEG_ES, rep_reg(v, i, EDI), false, &len);
    if (!b)
        return 0;
    n = min3(len / size, max - 1, max - 1);
    while (k < n && (acc == load(b + k * size, size)) == while_equal(i))
        k++;
    rep_reg_add(v, i, EDI, k * size);
    return k;
}

void i_cmps(struct vcpu *v, const struct insn *i)
{
    rep_loop(v, i, cmps_step, cmps_run, STRING_URGENT);
}

void i_scas(struct vcpu *v, const struct insn *i)
{
    rep_loop(v, i, scas_step, scas_run, STRING_URGENT);
}
