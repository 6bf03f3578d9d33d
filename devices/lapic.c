/* SPDX-License-Identifier: MIT */
/*
 * lapic.c - see lapic.h. The timer is in lapic_timer.c.
 *
 * Vectors are kept in three 256-bit arrays: IRR (requested), ISR (being serviced), TMR (level-
 * triggered).
 * Deviations LINT polarity and SMI delivery are accepted and ignored: the board's wires carry
 *            logic levels and the CPU has no system management mode.
 */
#include "devices/lapic.h"

#include "include/ring1/mem.h"

/* Register offsets divided by 16 (SDM vol. 3A, table 11-1). */
enum {
    R_ID = 0x02,
    R_VERSION = 0x03,
    R_TPR = 0x08,
    R_APR = 0x09,
    R_PPR = 0x0a,
    R_EOI = 0x0b,
    R_RRD = 0x0c,
    R_LDR = 0x0d,
    R_DFR = 0x0e,
    R_SVR = 0x0f,
    R_ISR = 0x10,
    R_TMR = 0x18,
    R_IRR = 0x20,
    R_ESR = 0x28,
    R_ICR_LOW = 0x30,
    R_ICR_HIGH = 0x31,
    R_LVT = 0x32,
    R_TIMER_INIT = 0x38,
    R_TIMER_COUNT = 0x39,
    R_TIMER_DIVIDE = 0x3e,
};

#define LAPIC_VERSION       0x14u
#define ESR_SEND_ILLEGAL    (1u << 5)
#define ESR_RECEIVE_ILLEGAL (1u << 6)
#define ESR_REGISTER        (1u << 7)
#define ICR_PENDING         (1u << 12)
#define ICR_ASSERT          (1u << 14)
#define ICR_LEVEL           (1u << 15)

/* Writable bits of each LVT entry (SDM vol. 3A, figure 11-8). */
static const uint32_t lvt_writable[LVT_COUNT] = {
    [LVT_TIMER] = 0x700ff, [LVT_THERMAL] = 0x107ff, [LVT_PERF] = 0x107ff,
    [LVT_LINT0] = 0x1a7ff, [LVT_LINT1] = 0x1a7ff,   [LVT_ERROR] = 0x100ff,
};

static bool bit_get(const uint32_t *set, unsigned n)
{
    return set[n / 32] >> (n % 32) & 1;
}

static void bit_put(uint32_t *set, unsigned n, bool on)
{
    set[n / 32] = (set[n / 32] & ~(1u << (n % 32))) | (uint32_t)on << (n % 32);
}

/* The highest vector in the set, or -1. */
static int highest(const uint32_t *set)
{
    for (int i = 7; i >= 0; i--)
        if (set[i])
            return i * 32 + 31 - __builtin_clz(set[i]);
    return -1;
}

static uint8_t processor_priority(const struct lapic *l)
{
    int serviced = highest(l->isr);
    unsigned isrv = serviced < 0 ? 0 : (unsigned)serviced & 0xf0;

    return (uint8_t)((l->tpr & 0xf0) >= isrv ? l->tpr : isrv);
}

uint8_t lapic_arbitration_priority(const struct lapic *l)
{
    int requested = highest(l->irr);
    unsigned irrv = requested < 0 ? 0 : (unsigned)requested & 0xf0;
    uint8_t ppr = processor_priority(l);

    return (uint8_t)((ppr & 0xf0u) >= irrv ? ppr : irrv);
}

bool lapic_software_enabled(const struct lapic *l)
{
    return l->hw_enabled && (l->svr & SVR_ENABLE);
}

bool lapic_vector_requested(const struct lapic *l, uint8_t vector)
{
    return bit_get(l->irr, vector);
}

/* The vector that may interrupt the CPU now, or -1. */
static int deliverable(const struct lapic *l)
{
    int vector = highest(l->irr);

    return vector >= 0 && (vector & 0xf0) > (processor_priority(l) & 0xf0) ? vector : -1;
}

static bool extint_wanted(const struct lapic *l)
{
    uint32_t lvt = l->lvt[LVT_LINT0];

    if (!l->hw_enabled)
        return l->pin[0];
    return l->extint_msg || (l->pin[0] && !(lvt & LVT_MASKED) && ((lvt >> 8) & 7) == APIC_EXTINT);
}

static void update_output(struct lapic *l)
{
    bool level = extint_wanted(l) || (l->hw_enabled && deliverable(l) >= 0);

    if (level != l->intr_level) {
        l->intr_level = level;
        wire_set(&l->intr, level);
    }
}

/* Sets IRR. The caller checked the vector. */
static enum apic_result request_vector(struct lapic *l, uint8_t vector, bool level)
{
    bool was = bit_get(l->irr, vector);

    bit_put(l->irr, vector, true);
    bit_put(l->tmr, vector, level);
    update_output(l);
    return was ? APIC_COALESCED : APIC_ACCEPTED;
}

/* Notes an error; the first of its kind raises the error interrupt. An error interrupt with an
 * illegal vector of its own finds its bit set and ends there. */
static void note_error(struct lapic *l, uint32_t bit)
{
    if (l->esr & bit)
        return;
    l->esr |= bit;
    lapic_local_interrupt(l, LVT_ERROR);
}

enum apic_result lapic_accept(struct lapic *l, unsigned mode, uint8_t vector, bool level)
{
    if (!l->hw_enabled)
        return APIC_REFUSED;
    switch (mode) {
    case APIC_FIXED:
    case APIC_LOWEST:
        if (!(l->svr & SVR_ENABLE))
            return APIC_REFUSED;
        if (vector < 16) {
            note_error(l, ESR_RECEIVE_ILLEGAL);
            return APIC_REFUSED;
        }
        return request_vector(l, vector, level);
    case APIC_NMI:
        wire_pulse(&l->nmi);
        return APIC_ACCEPTED;
    case APIC_INIT:
        wire_pulse(&l->init);
        return APIC_ACCEPTED;
    case APIC_SIPI:
        if (l->sipi)
            l->sipi(l->sipi_target, l->reset_id, vector);
        return APIC_ACCEPTED;
    case APIC_EXTINT:
        l->extint_msg = true;
        update_output(l);
        return APIC_ACCEPTED;
    default:
        return APIC_REFUSED;
    }
}

enum apic_result lapic_local_interrupt(struct lapic *l, enum lapic_lvt which)
{
    uint32_t lvt = l->lvt[which];
    unsigned mode = which == LVT_TIMER || which == LVT_ERROR ? APIC_FIXED : (lvt >> 8) & 7;

    if (lvt & LVT_MASKED)
        return APIC_REFUSED;
    return lapic_accept(l, mode, (uint8_t)lvt, false);
}

/* A LINT pin or its LVT entry changed; `rising` says that the pin did, upwards. */
static void lint_evaluate(struct lapic *l, unsigned pin, bool rising)
{
    uint32_t *lvt = &l->lvt[LVT_LINT0 + pin];
    unsigned mode = (*lvt >> 8) & 7;

    if (!l->hw_enabled || (*lvt & LVT_MASKED) || !l->pin[pin] || mode == APIC_EXTINT)
        return;
    if (mode == APIC_FIXED && (*lvt & LVT_LEVEL)) {
        if (!(*lvt & LVT_REMOTE_IRR) &&
            lapic_accept(l, APIC_FIXED, (uint8_t)*lvt, true) != APIC_REFUSED)
            *lvt |= LVT_REMOTE_IRR;
    } else if (rising) {
        lapic_accept(l, mode, (uint8_t)*lvt, false);
    }
}

void lapic_pin(void *lapic, unsigned pin, bool level)
{
    struct lapic *l = lapic;
    bool rising = level && !l->pin[pin & 1];

    l->pin[pin & 1] = level;
    lint_evaluate(l, pin & 1, rising);
    update_output(l);
}

bool lapic_lint0_is_nmi(const struct lapic *l)
{
    uint32_t lvt = l->lvt[LVT_LINT0];

    return l->hw_enabled && !(lvt & LVT_MASKED) && ((lvt >> 8) & 7) == APIC_NMI;
}

int lapic_ack(struct lapic *l)
{
    int vector;

    if (extint_wanted(l)) {
        l->extint_msg = false;
        update_output(l);
        return LAPIC_EXTINT;
    }
    vector = l->hw_enabled ? deliverable(l) : -1;
    if (vector < 0)
        return -1;
    bit_put(l->irr, (unsigned)vector, false);
    bit_put(l->isr, (unsigned)vector, true);
    update_output(l);
    return vector;
}

static void end_of_interrupt(struct lapic *l)
{
    int vector = highest(l->isr);

    if (vector < 0)
        return;
    bit_put(l->isr, (unsigned)vector, false);
    if (bit_get(l->tmr, (unsigned)vector)) {
        for (unsigned pin = 0; pin < 2; pin++) {
            uint32_t *lvt = &l->lvt[LVT_LINT0 + pin];
            if ((*lvt & LVT_REMOTE_IRR) && (*lvt & 0xff) == (unsigned)vector) {
                *lvt &= ~LVT_REMOTE_IRR;
                lint_evaluate(l, pin, false);
            }
        }
        apic_bus_eoi(l->bus, (uint8_t)vector);
    }
    lapic_timer_eoi(l, (uint8_t)vector);
    update_output(l);
}

/* SDM vol. 3A, section 11.6.2. A destination of 0xff names everybody in both models. */
bool lapic_matches(const struct lapic *l, uint8_t dest, bool logical)
{
    uint8_t ldr = (uint8_t)(l->ldr >> 24);

    if (!l->hw_enabled)
        return false;
    if (dest == 0xff)
        return true;
    if (!logical)
        return dest == (uint8_t)(l->id >> 24);
    if (l->dfr >> 28 == 0xf)
        return (ldr & dest) != 0;
    if (l->dfr >> 28 == 0) /* cluster model: cluster number, then a bit per member */
        return (dest >> 4 == 0xf || dest >> 4 == ldr >> 4) && (ldr & dest & 0xf);
    return false;
}

static void send_ipi(struct lapic *l)
{
    uint32_t icr = l->icr_low;
    struct apic_msg m = {
        .dest = (uint8_t)(l->icr_high >> 24),
        .logical = icr >> 11 & 1,
        .mode = (icr >> 8) & 7,
        .vector = (uint8_t)icr,
        .level = false, /* IPIs are edge-triggered whatever bit 15 says */
    };

    if ((m.mode == APIC_FIXED || m.mode == APIC_LOWEST) && m.vector < 16) {
        note_error(l, ESR_SEND_ILLEGAL);
        return;
    }
    if (m.mode == APIC_EXTINT || m.mode == APIC_MODE3)
        return;
    if (m.mode == APIC_INIT && (icr & ICR_LEVEL) && !(icr & ICR_ASSERT))
        return; /* INIT level de-assert only sets arbitration ids, of which there are none */
    switch (icr >> 18 & 3) {
    case 0:
        apic_bus_send(l->bus, &m);
        break;
    case 1:
        lapic_accept(l, m.mode, m.vector, false);
        break;
    case 2:
        m.dest = 0xff;
        apic_bus_send(l->bus, &m);
        break;
    case 3:
        for (unsigned i = 0; i < l->bus->cpu_count; i++)
            if (l->bus->cpu[i] != l)
                lapic_accept(l->bus->cpu[i], m.mode, m.vector, false);
        break;
    }
}

static uint32_t register_read(struct lapic *l, unsigned reg, ns_t now)
{
    switch (reg) {
    case R_ID:
        return l->id;
    case R_VERSION:
        return LAPIC_VERSION | (LVT_COUNT - 1) << 16;
    case R_TPR:
        return l->tpr;
    case R_APR:
        return lapic_arbitration_priority(l);
    case R_PPR:
        return processor_priority(l);
    case R_EOI:
    case R_RRD:
        return 0;
    case R_LDR:
        return l->ldr;
    case R_DFR:
        return l->dfr;
    case R_SVR:
        return l->svr;
    case R_ISR ... R_ISR + 7:
        return l->isr[reg - R_ISR];
    case R_TMR ... R_TMR + 7:
        return l->tmr[reg - R_TMR];
    case R_IRR ... R_IRR + 7:
        return l->irr[reg - R_IRR];
    case R_ESR:
        return l->esr_seen;
    case R_ICR_LOW:
        return l->icr_low;
    case R_ICR_HIGH:
        return l->icr_high;
    case R_LVT ... R_LVT + LVT_COUNT - 1:
        return l->lvt[reg - R_LVT];
    case R_TIMER_INIT:
        return l->timer.init;
    case R_TIMER_COUNT:
        return lapic_timer_count(l, now);
    case R_TIMER_DIVIDE:
        return l->timer.divide;
    default:
        note_error(l, ESR_REGISTER);
        return 0;
    }
}

static void lvt_write(struct lapic *l, unsigned n, uint32_t val)
{
    uint32_t old = l->lvt[n];

    val &= lvt_writable[n];
    if (!(l->svr & SVR_ENABLE))
        val |= LVT_MASKED;
    if (val & LVT_LEVEL) /* remote IRR is read-only; it means nothing for an edge */
        val |= old & LVT_REMOTE_IRR;
    l->lvt[n] = val;
    if (n == LVT_TIMER)
        lapic_timer_mode_changed(l, old);
    if (n == LVT_LINT0 || n == LVT_LINT1)
        lint_evaluate(l, n - LVT_LINT0, false);
}

static void svr_write(struct lapic *l, uint32_t val)
{
    l->svr = val & 0x3ff;
    if (l->svr & SVR_ENABLE)
        return;
    for (unsigned n = 0; n < LVT_COUNT; n++)
        lvt_write(l, n, l->lvt[n] | LVT_MASKED);
}

static void register_write(struct lapic *l, unsigned reg, uint32_t val, ns_t now)
{
    switch (reg) {
    case R_ID:
        l->id = val & 0xff000000;
        break;
    case R_TPR:
        l->tpr = val & 0xff;
        break;
    case R_EOI:
        end_of_interrupt(l);
        break;
    case R_LDR:
        l->ldr = val & 0xff000000;
        break;
    case R_DFR:
        l->dfr = val | 0x0fffffff;
        break;
    case R_SVR:
        svr_write(l, val);
        break;
    case R_ESR:
        l->esr_seen = l->esr;
        l->esr = 0;
        break;
    case R_ICR_LOW:
        l->icr_low = val & 0xccfff & ~ICR_PENDING;
        send_ipi(l);
        break;
    case R_ICR_HIGH:
        l->icr_high = val & 0xff000000;
        break;
    case R_LVT ... R_LVT + LVT_COUNT - 1:
        lvt_write(l, reg - R_LVT, val);
        break;
    case R_TIMER_INIT:
        lapic_timer_start(l, val, now);
        break;
    case R_TIMER_DIVIDE:
        lapic_timer_set_divide(l, val, now);
        break;
    case R_VERSION:
    case R_APR:
    case R_PPR:
    case R_RRD:
    case R_ISR ... R_ISR + 7:
    case R_TMR ... R_TMR + 7:
    case R_IRR ... R_IRR + 7:
    case R_TIMER_COUNT:
        break; /* read-only */
    default:
        note_error(l, ESR_REGISTER);
        break;
    }
    update_output(l);
}

/* Registers are the first dword of each 16 bytes; what lies between, and narrow writes, do nothing
 * (the SDM leaves both undefined, section 11.4.1). */
static uint32_t lapic_read(void *dev, uint32_t off, unsigned size, ns_t now)
{
    struct lapic *l = dev;
    uint32_t val;

    if (!l->hw_enabled)
        return UINT32_MAX;
    if ((off & 0xf) + size > 4)
        return 0;
    lapic_timer_roll(l, now);
    val = register_read(l, off >> 4 & 0xff, now);
    return val >> (off & 3) * 8;
}

static void lapic_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    struct lapic *l = dev;

    if (!l->hw_enabled || (off & 0xf) || size != 4)
        return;
    lapic_timer_roll(l, now);
    register_write(l, off >> 4 & 0xff, val, now);
}

/* Everything but the id, as INIT leaves it (SDM vol. 3A, section 11.4.7.3). Pins keep their
 * levels. */
static void registers_reset(struct lapic *l)
{
    l->tpr = l->ldr = l->esr = l->esr_seen = 0;
    l->icr_low = l->icr_high = 0;
    l->dfr = UINT32_MAX;
    l->svr = 0xff;
    for (unsigned n = 0; n < LVT_COUNT; n++)
        l->lvt[n] = LVT_MASKED;
    memset(l->isr, 0, sizeof l->isr);
    memset(l->tmr, 0, sizeof l->tmr);
    memset(l->irr, 0, sizeof l->irr);
    memset(&l->timer, 0, sizeof l->timer);
    l->extint_msg = false;
    wire_pulse(&l->kick);
}

static void lapic_reset(void *dev)
{
    struct lapic *l = dev;

    registers_reset(l);
    l->id = (uint32_t)l->reset_id << 24;
    l->hw_enabled = true;
    l->intr_level = extint_wanted(l);
    wire_set(&l->intr, l->intr_level); /* said even without a change: the CPU was reset too */
}

static ns_t lapic_run_until(void *dev, ns_t now)
{
    struct lapic *l = dev;

    lapic_timer_roll(l, now);
    return lapic_timer_deadline(l, now);
}

void lapic_setup(struct lapic *l, unsigned id, uint32_t tsc_khz, struct apic_bus *bus)
{
    l->reset_id = (uint8_t)id;
    l->tsc_khz = tsc_khz ? tsc_khz : 1;
    l->bus = bus;
}

void lapic_virtual_wire(struct lapic *l)
{
    l->svr = SVR_ENABLE | 0xff;
    l->lvt[LVT_LINT0] = APIC_EXTINT << 8;
    l->lvt[LVT_LINT1] = APIC_NMI << 8;
    update_output(l);
}

/* Disabling loses all state, as if by power-up (SDM vol. 3A, section 11.4.3). */
void lapic_set_hw_enabled(struct lapic *l, bool enabled)
{
    if (enabled == l->hw_enabled)
        return;
    registers_reset(l);
    l->id = (uint32_t)l->reset_id << 24;
    l->hw_enabled = enabled;
    update_output(l);
}

/* A timer that runs has a period. */
static bool lapic_loaded(void *dev, ns_t now)
{
    const struct lapic *l = dev;

    (void)now;
    return !l->timer.running || (l->timer.init && l->timer.left);
}

/* What the code above counts on when the state comes from a file. */
static const struct state_rule rules[] = {
    STATE_BOOL(struct lapic, hw_enabled),  STATE_BOOL(struct lapic, extint_msg),
    STATE_BOOL(struct lapic, intr_level),  STATE_BOOL(struct lapic, timer.running),
    STATE_EACH(struct lapic, pin, , 0, 1), STATE_RULE(struct lapic, tsc_khz, 1, UINT32_MAX),
};

const struct dev_ops lapic_ops = {
    .name = "lapic",
    .state_size = offsetof(struct lapic, wires_begin),
    .min_size = 1,
    .max_size = 4,
    .read = lapic_read,
    .write = lapic_write,
    .reset = lapic_reset,
    .run_until = lapic_run_until,
    .rules = rules,
    .rule_count = ARRAY_LEN(rules),
    .loaded = lapic_loaded,
};
