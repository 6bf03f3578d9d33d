/* SPDX-License-Identifier: MIT */
/* console.c - see console.h. */
#include "host/metal/nucleus/console.h"

#include <stdarg.h>

#include "host/metal/nucleus/insn.h"
#include "host/metal/nucleus/layout.h"
#include "include/ring1/fmt.h"
#include "include/ring1/mem.h"

#define COM1      0x3f8
#define COM2      0x2f8
#define UART_IER  1 /* from the port's base */
#define UART_FCR  2
#define UART_LCR  3
#define UART_MCR  4
#define UART_LSR  5
#define LSR_DATA  0x01
#define LSR_EMPTY 0x20
#define LCR_8N1   0x03
#define LCR_DLAB  0x80
#define MCR_OUT2  0x0b /* DTR, RTS, and the interrupt's gate */
#define PATIENCE  100000u

#define SCREEN_AT ((volatile uint16_t *)(DIRECT_BASE + 0xb8000))
#define BLANK     0x0720u
#define CRTC      0x3d4

#define INPUT 1024u /* a power of two */

static struct {
    unsigned column, row;
    uint8_t input[INPUT];
    unsigned head, tail;
    bool no_uart[CONSOLE_PORTS];
    bool guests_screen;
} con;

static const uint16_t uart_base[CONSOLE_PORTS] = {COM1, COM2};

static void uart_put(unsigned port, uint8_t c)
{
    uint16_t base = uart_base[port];

    if (con.no_uart[port])
        return;
    for (unsigned n = 0; !(in8(base + UART_LSR) & LSR_EMPTY); n++)
        if (n == PATIENCE) { /* no such chip, or nobody takes what it sends */
            con.no_uart[port] = true;
            return;
        }
    out8(base, c);
}

static void scroll(void)
{
    for (unsigned n = 0; n < SCREEN_COLUMNS * (SCREEN_ROWS - 1); n++)
        SCREEN_AT[n] = SCREEN_AT[n + SCREEN_COLUMNS];
    for (unsigned n = 0; n < SCREEN_COLUMNS; n++)
        SCREEN_AT[SCREEN_COLUMNS * (SCREEN_ROWS - 1) + n] = BLANK;
    con.row = SCREEN_ROWS - 1;
}

static void screen_put(uint8_t c)
{
    if (c == '\r')
        con.column = 0;
    else if (c == '\n')
        con.row++;
    else if (c == '\b')
        con.column -= con.column > 0;
    else if (c >= 0x20 && c < 0x7f) {
        if (con.column == SCREEN_COLUMNS) {
            con.column = 0;
            if (++con.row == SCREEN_ROWS)
                scroll();
        }
        SCREEN_AT[con.row * SCREEN_COLUMNS + con.column++] = 0x0700 | c;
    }
    if (con.row == SCREEN_ROWS)
        scroll();
}

static void cursor_at(unsigned at)
{
    out16(CRTC, (uint16_t)(0x0e | (at & 0xff00)));
    out16(CRTC, (uint16_t)(0x0f | (at & 0xff) << 8));
}

static void screen_cursor(void)
{
    unsigned at =
        con.row * SCREEN_COLUMNS + (con.column < SCREEN_COLUMNS ? con.column : SCREEN_COLUMNS - 1);

    cursor_at(at);
}

void console_screen(const uint16_t *cells, unsigned cursor)
{
    con.guests_screen = true;
    for (unsigned n = 0; n < SCREEN_COLUMNS * SCREEN_ROWS; n++)
        if (SCREEN_AT[n] != cells[n])
            SCREEN_AT[n] = cells[n];
    cursor_at(cursor == SCREEN_NO_CURSOR ? SCREEN_COLUMNS * SCREEN_ROWS : cursor);
}

void console_screen_back(void)
{
    con.guests_screen = false;
}

static void uart_init(unsigned port)
{
    uint16_t base = uart_base[port];

    out8(base + UART_IER, 0);
    out8(base + UART_LCR, LCR_DLAB);
    out8(base, 1); /* 115200 baud */
    out8(base + 1, 0);
    out8(base + UART_LCR, LCR_8N1);
    out8(base + UART_FCR, 0x07);
    out8(base + UART_MCR, MCR_OUT2);
    con.no_uart[port] = in8(base + UART_LSR) == 0xff;
}

void console_init(void)
{
    for (unsigned port = 0; port < CONSOLE_PORTS; port++)
        uart_init(port);
    for (unsigned n = 0; n < SCREEN_COLUMNS * SCREEN_ROWS; n++)
        SCREEN_AT[n] = BLANK;
}

/* Input that came before was an edge that nobody saw: what is there is taken first. */
void console_listen(void)
{
    if (con.no_uart[0])
        return;
    console_interrupt();
    out8(COM1 + UART_IER, 1);
}

void console_write(const char *bytes, size_t len)
{
    for (size_t n = 0; n < len; n++) {
        uart_put(0, (uint8_t)bytes[n]);
        if (!con.guests_screen || con.no_uart[0])
            screen_put((uint8_t)bytes[n]);
    }
    if (!con.guests_screen || con.no_uart[0])
        screen_cursor();
}

void console_send(unsigned port, const char *bytes, size_t len)
{
    for (size_t n = 0; n < len; n++)
        uart_put(port, (uint8_t)bytes[n]);
}

static void say(const char *fmt, va_list ap)
{
    char text[1024];
    size_t len = fmt_vline(text, sizeof text - 2, fmt, ap);

    text[len++] = '\r';
    text[len++] = '\n';
    console_write(text, len);
}

void console_say(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    console_write("ring1: ", 7);
    say(fmt, ap);
    va_end(ap);
}

void console_interrupt(void)
{
    while (!con.no_uart[0] && (in8(COM1 + UART_LSR) & LSR_DATA)) {
        uint8_t c = in8(COM1);
        if (con.head - con.tail < INPUT)
            con.input[con.head++ & (INPUT - 1)] = c;
    }
}

size_t console_take(uint8_t *buf, size_t size)
{
    size_t len = 0;

    while (len < size && con.head != con.tail)
        buf[len++] = con.input[con.tail++ & (INPUT - 1)];
    return len;
}

static void line(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say(fmt, ap);
    va_end(ap);
}

_Noreturn void panic(const struct trap_frame *f, const char *what)
{
    static const char *const names[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                          "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
    static bool again;

    console_screen_back();
    line("%s", "");
    console_say("internal error: %s", what);
    if (f && !again) {
        again = true; /* reading the stack may fault */
        line("vector %u, error code %llx, CPL %u, cr2 %016llx, cr3 %016llx", (unsigned)f->vector,
             (unsigned long long)f->error, (unsigned)(f->cs & 3), (unsigned long long)read_cr2(),
             (unsigned long long)read_cr3());
        line("rip %016llx cs %x rflags %llx rsp %016llx", (unsigned long long)f->rip,
             (unsigned)f->cs, (unsigned long long)f->rflags, (unsigned long long)f->rsp);
        for (unsigned n = 0; n < 16; n += 4)
            line("%s %016llx  %s %016llx  %s %016llx  %s %016llx", names[n],
                 (unsigned long long)(n == 4 ? f->rsp : f->gpr[n]), names[n + 1],
                 (unsigned long long)f->gpr[n + 1], names[n + 2], (unsigned long long)f->gpr[n + 2],
                 names[n + 3], (unsigned long long)f->gpr[n + 3]);
        const uint64_t *s = (const uint64_t *)(f->rsp & ~7ull);
        if (f->rsp >= DIRECT_BASE)
            for (unsigned n = 0; n < 16; n += 4)
                line("stack %016llx %016llx %016llx %016llx", (unsigned long long)s[n],
                     (unsigned long long)s[n + 1], (unsigned long long)s[n + 2],
                     (unsigned long long)s[n + 3]);
    }
    line("The machine stops here.");
    stop();
}
