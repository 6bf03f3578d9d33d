/* SPDX-License-Identifier: MIT */
/*
 * board.c - the PC around the CPU: two 8259A, the 8254, the CMOS clock, and the ways to turn it off
 * and restart it.
 *
 * Source     Intel 8259A and 8254 data sheets; 82371AB (PIIX4) specification, section 7 (power
 *            management), for turning off without ACPI's tables.
 */
#include "kernel/kernel.h"

#define PIC1          0x20
#define PIC2          0xa0
#define PIC_EOI       0x20
#define PIT_COUNTER0  0x40
#define PIT_COMMAND   0x43
#define PIT_HZ        1193182u
#define CMOS_INDEX    0x70
#define CMOS_DATA     0x71
#define CMOS_CENTURY  0x32
#define PCI_ADDRESS   0xcf8
#define PCI_DATA      0xcfc
#define PIIX4_PM_ID   0x71138086u
#define PIIX4_PMBASE  0x40
#define PIIX4_MISC    0x80 /* bit 0: PMBASE decodes */
#define PM_CONTROL    4
#define PM_SLEEP_S5   (1u << 13) /* SLP_EN with SLP_TYP 0: soft off */
#define KBC_COMMAND   0x64
#define RESET_CONTROL 0xcf9

void board_init(void)
{
    static const uint8_t words[2][4] = {{0x11, VECTOR_IRQ, 0x04, 0x01},
                                        {0x11, VECTOR_IRQ + 8, 0x02, 0x01}};
    uint32_t divisor = (PIT_HZ + TICKS_PER_SECOND / 2) / TICKS_PER_SECOND;

    for (unsigned i = 0; i < 4;
         i++) { /* ICW1 goes to the first port of each, the others to the second */
        out8(PIC1 + (i > 0), words[0][i]);
        out8(PIC2 + (i > 0), words[1][i]);
    }
    out8(PIC1 + 1, 0xff & ~(1u << 0 | 1u << 4)); /* timer and COM1 */
    out8(PIC2 + 1, 0xff);
    out8(PIT_COMMAND, 0x34); /* counter 0, both bytes, mode 2 */
    out8(PIT_COUNTER0, (uint8_t)divisor);
    out8(PIT_COUNTER0, (uint8_t)(divisor >> 8));
}

bool board_interrupt_begin(unsigned irq)
{
    if (irq == 7 ||
        irq == 15) { /* nobody is there: spurious, not in service; only PIC1 saw PIC2's request */
        if (irq == 15)
            out8(PIC1, PIC_EOI);
        return false;
    }
    if (irq >= 8)
        out8(PIC2, PIC_EOI);
    out8(PIC1, PIC_EOI);
    return true;
}

static uint8_t cmos(uint8_t index)
{
    out8(CMOS_INDEX, index);
    return in8(CMOS_DATA);
}

static void clock_read(uint8_t raw[7])
{
    static const uint8_t registers[7] = {0, 2, 4, 7, 8, 9, CMOS_CENTURY};

    while (cmos(0x0a) & 0x80) /* an update is in progress */
        ;
    for (unsigned i = 0; i < 7; i++)
        raw[i] = cmos(registers[i]);
}

static uint32_t from_bcd(uint8_t value)
{
    return (value >> 4) * 10u + (value & 0xf);
}

void board_clock(struct clock_info *now)
{
    uint8_t raw[7], again[7], mode = cmos(0x0b);
    uint32_t value[7];

    do {
        clock_read(raw);
        clock_read(again);
    } while (memcmp(raw, again, sizeof raw) != 0);
    bool pm = raw[2] & 0x80;
    raw[2] &= 0x7f;
    for (unsigned i = 0; i < 7; i++)
        value[i] = mode & 4 ? raw[i] : from_bcd(raw[i]);
    if (!(mode & 2))
        value[2] = value[2] % 12 + (pm ? 12 : 0);
    uint32_t century =
        value[6] >= 19 && value[6] <= 21 ? value[6] : 20; /* not every board has the register */
    *now = (struct clock_info){
        century * 100 + value[5], value[4], value[3], value[2], value[1], value[0]};
}

static void pci_select(uint32_t function, uint8_t offset)
{
    out32(PCI_ADDRESS, 0x80000000u | function << 8 | offset);
}

static void power_off(void)
{
    for (uint32_t function = 0; function < 256;
         function++) { /* device times 8 plus function, on bus 0 */
        pci_select(function, 0);
        if (in32(PCI_DATA) != PIIX4_PM_ID)
            continue;
        pci_select(function, PIIX4_PMBASE);
        uint32_t base = in32(PCI_DATA) & 0xffc0;
        if (!base) { /* no firmware has placed it */
            base = 0x600;
            out32(PCI_DATA, base);
        }
        pci_select(function, PIIX4_MISC);
        out8(PCI_DATA, in8(PCI_DATA) | 1);
        out16((uint16_t)(base + PM_CONTROL), PM_SLEEP_S5);
    }
    print("tiny: this board has no power switch that I know; halted\n");
}

static void reset(void)
{
    struct {
        uint16_t limit;
        uint32_t base;
    } __attribute__((packed)) nothing = {0, 0};

    out8(KBC_COMMAND, 0xfe); /* pulses the CPU's reset line */
    out8(RESET_CONTROL, 0x02);
    out8(RESET_CONTROL, 0x06);
    __asm__ volatile("lidt %0; ud2" : : "m"(nothing)); /* a triple fault, when nothing else helps */
}

void board_power(enum power_how how)
{
    if (how == POWER_OFF)
        power_off();
    else
        reset();
    for (;;)
        __asm__ volatile("cli; hlt");
}
