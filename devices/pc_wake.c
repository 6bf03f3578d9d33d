/* SPDX-License-Identifier: MIT */
/*
 * pc_wake.c - can anything still end HLT with IF = 0? Only NMI could: there is no SMI here, INIT
 * comes from other CPUs, and every reset of this board is an instruction's doing.
 *
 * How        First which ISA lines become an NMI when they rise: by an I/O APIC entry or, through
 *            the 8259s, by LINT0 or I/O APIC pin 0. Then which of them may rise without an
 *            instruction: a timer that drives it runs, or input from outside would drive it.
 * Promises   False is certain. True may be too hopeful: input may never come.
 * Source     SDM vol. 2, HLT; vol. 3A, sections 11.5.1 (LVT) and 6.7 (NMI).
 */
#include "devices/pc_board.h"

#define LINE(n) (1u << (n))

static bool timer_runs(const struct pc *pc, const void *chip)
{
    return pc_due(pc, chip) != NS_NEVER;
}

/* Returns the ISA lines whose rise is an NMI at `cpu`; bit n: line n. */
static uint32_t nmi_lines(const struct pc *pc, unsigned cpu)
{
    uint32_t pins = ioapic_nmi_pins(&pc->ioapic, cpu), lines = pins & 0xfffa;

    if (pins & LINE(2))
        lines |= LINE(0); /* pc_wires.c: ISA line 0 is pin 2, the 8259s' output pin 0 */
    if ((pins & LINE(0)) || (cpu == 0 && lapic_lint0_is_nmi(&pc->lapic[0])))
        for (unsigned line = 0; line < 16; line++)
            if (i8259_would_interrupt(&pc->pic, line))
                lines |= LINE(line);
    return lines;
}

static bool uart_may_interrupt(const struct pc *pc, unsigned line)
{
    for (unsigned n = 0; n < 4; n++)
        if (pc->cfg.serial_present[n] && pc_uart_line(n) == line &&
            (timer_runs(pc, &pc->uart[n]) || ns16550_listens(&pc->uart[n])))
            return true;
    return false;
}

/* May the line rise although no instruction runs? */
static bool may_rise(const struct pc *pc, unsigned line)
{
    if (line == 0) /* the 8254 lowers it itself */
        return timer_runs(pc, &pc->pit);
    if (pc->irq_sources[line])
        return false; /* high until an instruction looks after its device */
    switch (line) {
    case 1:
    case 12:
        return timer_runs(pc, &pc->kbc);
    case 3:
    case 4:
        return uart_may_interrupt(pc, line);
    case 8:
        return timer_runs(pc, &pc->rtc);
    case 14:
    case 15:
        return ide_waits(&pc->ide_channel[line - 14]);
    case PC_SCI_IRQ:
        return timer_runs(pc, &pc->pm) || piix4_pm_listens(&pc->pm, timer_runs(pc, &pc->rtc));
    default:
        return false;
    }
}

bool pc_nmi_may_come(const struct pc *pc, unsigned cpu)
{
    uint32_t lines = cpu < pc->cfg.cpu_count ? nmi_lines(pc, cpu) : 0;

    for (unsigned line = 0; line < 16; line++)
        if ((lines & LINE(line)) && may_rise(pc, line))
            return true;
    return false;
}
