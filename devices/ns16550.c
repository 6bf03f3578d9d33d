/* SPDX-License-Identifier: MIT */
/*
 * ns16550.c - the PC16550D UART. See ns16550.h.
 *
 * The transmitter is always empty: what is written leaves at once. OUT2 is a pin like OUT1: the
 * gate for INTR that it opens on a PC's serial card belongs to the board, and this board has none
 * (docs/DEVIATIONS.md, section 7).
 */
#include "devices/ns16550.h"

#include "include/ring1/mem.h"

#define FLUSH_NS 500000ull

#define IER_RDA        0x01
#define IER_THRE       0x02
#define IER_RLS        0x04
#define IER_MS         0x08
#define IIR_NONE       0x01
#define IIR_MS         0x00
#define IIR_THRE       0x02
#define IIR_RDA        0x04
#define IIR_RLS        0x06
#define IIR_TIMEOUT    0x0c
#define IIR_FIFOS      0xc0
#define FCR_ENABLE     0x01
#define FCR_CLEAR_RX   0x02
#define FCR_CLEAR_TX   0x04
#define FCR_KEPT       0xc9
#define LCR_BREAK      0x40
#define LCR_DLAB       0x80
#define MCR_DTR        0x01
#define MCR_RTS        0x02
#define MCR_OUT1       0x04
#define MCR_OUT2       0x08
#define MCR_LOOP       0x10
#define LSR_DR         0x01
#define LSR_OE         0x02
#define LSR_BI         0x10
#define LSR_ERRORS     0x1e
#define LSR_THRE       0x20
#define LSR_TEMT       0x40
#define LSR_FIFO_ERROR 0x80
#define MSR_CTS        0x10
#define MSR_DSR        0x20
#define MSR_RI         0x40
#define MSR_DCD        0x80

static bool fifos_on(const struct ns16550 *u)
{
    return u->fcr & FCR_ENABLE;
}

static unsigned rx_capacity(const struct ns16550 *u)
{
    return fifos_on(u) ? sizeof(u->rx) : 1;
}

static unsigned rx_trigger(const struct ns16550 *u)
{
    static const uint8_t level[4] = {1, 4, 8, 14};

    return fifos_on(u) ? level[u->fcr >> 6] : 1;
}

/* Time of one character on the line: start bit, 5-8 data bits, parity, 1 or 2 stop bits. */
static ns_t char_time(const struct ns16550 *u)
{
    unsigned bits = 7 + (u->lcr & 3) + ((u->lcr >> 3) & 1) + ((u->lcr >> 2) & 1);
    unsigned divisor = u->divisor ? u->divisor : 1;

    return (ns_t)bits * divisor * NS_PER_SEC / 115200;
}

static uint8_t line_status(const struct ns16550 *u)
{
    uint8_t val = LSR_THRE | LSR_TEMT | u->lsr;

    if (u->rx_count) {
        val |= LSR_DR | u->rx_err[u->rx_head];
        for (unsigned i = 0; fifos_on(u) && i < u->rx_count; i++)
            if (u->rx_err[(u->rx_head + i) % sizeof(u->rx)])
                val |= LSR_FIFO_ERROR;
    }
    return val;
}

/* The interrupt identification without the FIFO bits: the most urgent enabled source. */
static uint8_t interrupt_id(const struct ns16550 *u)
{
    if ((u->ier & IER_RLS) && (line_status(u) & LSR_ERRORS))
        return IIR_RLS;
    if ((u->ier & IER_RDA) && u->rx_count >= rx_trigger(u))
        return IIR_RDA;
    if ((u->ier & IER_RDA) && u->timeout)
        return IIR_TIMEOUT;
    if ((u->ier & IER_THRE) && u->thre_pending)
        return IIR_THRE;
    if ((u->ier & IER_MS) && (u->msr & 0x0f))
        return IIR_MS;
    return IIR_NONE;
}

static void irq_update(struct ns16550 *u)
{
    bool level = interrupt_id(u) != IIR_NONE;

    if (level == u->irq_level)
        return;
    u->irq_level = level;
    wire_set(&u->irq, level);
}

static void timeout_restart(struct ns16550 *u, ns_t now)
{
    ns_t due = NS_NEVER;

    u->timeout = false;
    if (fifos_on(u) && u->rx_count)
        due = now + 4 * char_time(u);
    if (due < u->timeout_at)
        wire_set(&u->kick, true);
    u->timeout_at = due;
}

static void rx_clear(struct ns16550 *u)
{
    u->rx_head = u->rx_count = 0;
    u->timeout = false;
    u->timeout_at = NS_NEVER;
}

static void rx_put(struct ns16550 *u, uint8_t byte, uint8_t errors)
{
    unsigned at;

    if (u->rx_count >= rx_capacity(u)) {
        u->lsr |= LSR_OE;
        u->overruns++;
        if (fifos_on(u))
            return; /* the FIFO keeps what it has; the shift register is overwritten */
        u->rx_count = 0;
    }
    at = (u->rx_head + u->rx_count) % sizeof(u->rx);
    u->rx[at] = byte;
    u->rx_err[at] = errors;
    u->rx_count++;
    u->rx_bytes++;
}

static uint8_t rx_get(struct ns16550 *u, ns_t now)
{
    uint8_t byte = u->rx[u->rx_head];

    if (u->rx_count == 0)
        return byte; /* the last byte again */
    /* The byte's errors move to the line status register's sticky part only when shown; a byte
     * taken takes them along. */
    u->rx_count--;
    if (u->rx_count)
        u->rx_head = (u->rx_head + 1) % sizeof(u->rx);
    timeout_restart(u, now);
    return byte;
}

/* Recomputes the modem status: inputs at the pins, or the outputs in loopback; notes changes in
 * bits 3-0. */
static void modem_update(struct ns16550 *u)
{
    uint8_t now = u->lines, was = u->msr, changed;

    if (u->mcr & MCR_LOOP)
        now = (uint8_t)((u->mcr & MCR_RTS ? MSR_CTS : 0) | (u->mcr & MCR_DTR ? MSR_DSR : 0) |
                        (u->mcr & MCR_OUT1 ? MSR_RI : 0) | (u->mcr & MCR_OUT2 ? MSR_DCD : 0));
    changed = (now ^ was) & 0xf0;
    /* The ring indicator's delta is its trailing edge only. */
    if (!(was & MSR_RI))
        changed &= (uint8_t)~MSR_RI;
    u->msr = (uint8_t)(now | (was & 0x0f) | changed >> 4);
}

void ns16550_flush(struct ns16550 *u)
{
    unsigned n = u->tx_count;

    u->tx_count = 0;
    u->flush_at = NS_NEVER;
    if (n && u->chr.send)
        u->chr.send(u->chr.opaque, u->tx, n);
}

static void tx_put(struct ns16550 *u, uint8_t byte, ns_t now)
{
    static const uint8_t data_mask[4] = {0x1f, 0x3f, 0x7f, 0xff};

    byte &= data_mask[u->lcr & 3];
    /* Full for a moment, empty again: an edge-triggered input must see the line fall. */
    u->thre_pending = false;
    irq_update(u);
    u->thre_pending = true;
    if (u->mcr & MCR_LOOP) {
        rx_put(u, byte, 0);
        timeout_restart(u, now);
        return;
    }
    u->tx_bytes++;
    u->tx[u->tx_count++] = byte;
    if (byte == '\n' || u->tx_count == sizeof(u->tx)) {
        ns16550_flush(u);
    } else if (u->flush_at == NS_NEVER) {
        u->flush_at = now + FLUSH_NS;
        wire_set(&u->kick, true);
    }
}

static void write_fcr(struct ns16550 *u, uint8_t val)
{
    bool toggled = (u->fcr ^ val) & FCR_ENABLE;

    u->fcr = val & FCR_ENABLE ? val & FCR_KEPT : 0;
    if (toggled || (val & FCR_ENABLE && val & FCR_CLEAR_RX))
        rx_clear(u);
    if (toggled || (val & FCR_ENABLE && val & FCR_CLEAR_TX))
        u->thre_pending = true;
}

static void write_ier(struct ns16550 *u, uint8_t val)
{
    /* Enabling the interrupt while the transmitter is empty raises it at once. */
    if (!(u->ier & IER_THRE) && (val & IER_THRE))
        u->thre_pending = true;
    u->ier = val & 0x0f;
}

static void write_lcr(struct ns16550 *u, uint8_t val, ns_t now)
{
    bool broke = !(u->lcr & LCR_BREAK) && (val & LCR_BREAK);

    u->lcr = val;
    if (broke && (u->mcr & MCR_LOOP)) {
        rx_put(u, 0, LSR_BI);
        timeout_restart(u, now);
    }
}

static void uart_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    struct ns16550 *u = dev;
    uint8_t byte = (uint8_t)val;
    bool dlab = u->lcr & LCR_DLAB;

    (void)size;
    switch (off & 7) {
    case 0:
        if (dlab)
            u->divisor = (uint16_t)((u->divisor & 0xff00) | byte);
        else
            tx_put(u, byte, now);
        break;
    case 1:
        if (dlab)
            u->divisor = (uint16_t)((u->divisor & 0x00ff) | byte << 8);
        else
            write_ier(u, byte);
        break;
    case 2:
        write_fcr(u, byte);
        break;
    case 3:
        write_lcr(u, byte, now);
        break;
    case 4:
        u->mcr = byte & 0x1f;
        modem_update(u);
        break;
    case 7:
        u->scr = byte;
        break;
    default: /* line and modem status are for reading; the data sheet calls writes factory tests */
        break;
    }
    irq_update(u);
}

static uint8_t read_iir(struct ns16550 *u)
{
    uint8_t id = interrupt_id(u);

    if (id == IIR_THRE)
        u->thre_pending = false;
    return (uint8_t)(id | (fifos_on(u) ? IIR_FIFOS : 0));
}

static uint8_t read_lsr(struct ns16550 *u)
{
    uint8_t val = line_status(u);

    u->lsr = 0;
    if (u->rx_count)
        u->rx_err[u->rx_head] = 0;
    return val;
}

static uint8_t read_msr(struct ns16550 *u)
{
    uint8_t val = u->msr;

    u->msr &= 0xf0;
    return val;
}

static void timers_run(struct ns16550 *u, ns_t now)
{
    if (u->timeout_at <= now) {
        u->timeout_at = NS_NEVER;
        u->timeout = u->rx_count != 0;
    }
    if (u->flush_at <= now)
        ns16550_flush(u);
}

static uint32_t uart_read(void *dev, uint32_t off, unsigned size, ns_t now)
{
    struct ns16550 *u = dev;
    bool dlab = u->lcr & LCR_DLAB;
    uint8_t val;

    (void)size;
    timers_run(u, now);
    switch (off & 7) {
    case 0:
        val = dlab ? (uint8_t)u->divisor : rx_get(u, now);
        break;
    case 1:
        val = dlab ? (uint8_t)(u->divisor >> 8) : u->ier;
        break;
    case 2:
        val = read_iir(u);
        break;
    case 3:
        val = u->lcr;
        break;
    case 4:
        val = u->mcr;
        break;
    case 5:
        val = read_lsr(u);
        break;
    case 6:
        val = read_msr(u);
        break;
    default:
        val = u->scr;
        break;
    }
    irq_update(u);
    return val;
}

static ns_t uart_run_until(void *dev, ns_t now)
{
    struct ns16550 *u = dev;

    timers_run(u, now);
    irq_update(u);
    return u->timeout_at < u->flush_at ? u->timeout_at : u->flush_at;
}

unsigned ns16550_room(const struct ns16550 *u)
{
    return u->mcr & MCR_LOOP ? 0 : rx_capacity(u) - u->rx_count;
}

bool ns16550_listens(const struct ns16550 *u)
{
    return (u->ier & (IER_RDA | IER_RLS)) && !(u->mcr & MCR_LOOP);
}

void ns16550_receive(struct ns16550 *u, const uint8_t *bytes, unsigned len, ns_t now)
{
    if (u->mcr & MCR_LOOP)
        return; /* the input pin is disconnected */
    for (unsigned i = 0; i < len; i++)
        rx_put(u, bytes[i], 0);
    timeout_restart(u, now);
    irq_update(u);
}

void ns16550_break(struct ns16550 *u, ns_t now)
{
    if (u->mcr & MCR_LOOP)
        return;
    rx_put(u, 0, LSR_BI);
    timeout_restart(u, now);
    irq_update(u);
}

/* Master reset; scratch, divisor and the FIFOs' memory are not defined by it, here they are
 * cleared. */
static void uart_reset(void *dev)
{
    struct ns16550 *u = dev;

    ns16550_flush(u);
    u->ier = u->lcr = u->mcr = u->fcr = u->lsr = u->scr = 0;
    u->divisor = 0;
    u->thre_pending = false;
    rx_clear(u);
    u->msr = u->lines;
    u->irq_level = false;
    wire_set(&u->irq, false);
}

void ns16550_init(struct ns16550 *u, struct chardev chr, struct wire irq, struct wire kick)
{
    memset(u, 0, sizeof(*u));
    u->chr = chr;
    u->irq = irq;
    u->kick = kick;
    u->lines = MSR_CTS | MSR_DSR | MSR_DCD; /* a terminal that is switched on */
    uart_reset(u);
}

/* What the code above counts on when the state comes from a file. */
static const struct state_rule rules[] = {
    STATE_RULE(struct ns16550, rx_head, 0, 15),  STATE_RULE(struct ns16550, rx_count, 0, 16),
    STATE_RULE(struct ns16550, tx_count, 0, 63), STATE_BOOL(struct ns16550, thre_pending),
    STATE_BOOL(struct ns16550, timeout),         STATE_BOOL(struct ns16550, irq_level),
};

const struct dev_ops ns16550_ops = {
    .name = "ns16550",
    .state_size = offsetof(struct ns16550, wires_begin),
    .min_size = 1,
    .max_size = 1,
    .read = uart_read,
    .write = uart_write,
    .reset = uart_reset,
    .run_until = uart_run_until,
    .rules = rules,
    .rule_count = ARRAY_LEN(rules),
};
