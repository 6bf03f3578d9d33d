/* SPDX-License-Identifier: MIT */
/*
 * serial.c - the console on COM1: output by polling, input by interrupt into a ring.
 */
#include "kernel/kernel.h"

#define COM1      0x3f8
#define COM1_IER  (COM1 + 1) /* with DLAB: the divisor's high byte */
#define COM1_FCR  (COM1 + 2) /* read: the cause of the interrupt */
#define COM1_LCR  (COM1 + 3)
#define COM1_MCR  (COM1 + 4)
#define COM1_LSR  (COM1 + 5)
#define LSR_DATA  0x01
#define LSR_EMPTY 0x20
#define CTRL_C    3
#define RING_SIZE 256u

static char ring[RING_SIZE];
static uint32_t ring_in, ring_out;

void serial_init(void)
{
    out8(COM1_IER, 0);
    out8(COM1_LCR, 0x80); /* DLAB */
    out8(COM1, 1);        /* 115200 baud */
    out8(COM1_IER, 0);
    out8(COM1_LCR, 0x03); /* 8 data bits, no parity, 1 stop bit */
    out8(COM1_FCR, 0x07); /* FIFOs on and empty, interrupt from the first byte */
    out8(COM1_MCR, 0x0b); /* DTR, RTS, and OUT2, which lets the interrupt out */
    out8(COM1_IER, 0x01); /* received data */
}

void serial_put(char c)
{
    if (c == '\n')
        serial_put('\r');
    while (!(in8(COM1_LSR) & LSR_EMPTY))
        ;
    out8(COM1, (uint8_t)c);
}

void serial_interrupt(void)
{
    in8(COM1_FCR);
    while (in8(COM1_LSR) & LSR_DATA) {
        char c = (char)in8(COM1);
        if (c == CTRL_C && process_interrupt())
            print("^C\n");
        else if (ring_in - ring_out < RING_SIZE)
            ring[ring_in++ % RING_SIZE] = c;
    }
    process_wake(READING);
}

int serial_read(char *to, uint32_t size)
{
    uint32_t n = 0;

    while (ring_in == ring_out) {
        if (current->killed)
            return ERROR;
        process_block(READING);
    }
    while (n < size && ring_out != ring_in)
        to[n++] = ring[ring_out++ % RING_SIZE];
    return (int)n;
}
