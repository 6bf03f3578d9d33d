/* SPDX-License-Identifier: MIT */
/*
 * pc.c - the board on one page: which chips there are, and what sits at which address.
 *
 * Wires are in pc_wires.c, what firmware would program in pc_firmware.c.
 */
#include "devices/pc.h"

#include "devices/pc_board.h"
#include "include/ring1/mem.h"

enum bus_kind { MEM, PORT };
enum presence {
    ALWAYS,
    IF_UART0,
    IF_UART1,
    IF_UART2,
    IF_UART3,
    IF_DEBUGCON,
    IF_DEBUG_EXIT,
    IF_TESTDEV,
    IF_APIC,
    IF_VGA,
    IF_IDE
};

/* More must wait until the guest has executed something: completions that begin others must not
 * keep it from that. */
#define COMPLETIONS_AT_ONCE 64u

#define AT(member) offsetof(struct pc, member)

/* The chips: reset in this order, timers run in this order. */
static const struct chip {
    const struct dev_ops *ops;
    size_t at;
    enum presence when;
} chips[] = {
    {&i8259_ops, AT(pic), ALWAYS},
    {&i8254_ops, AT(pit), ALWAYS},
    {&mc146818_ops, AT(rtc), ALWAYS},
    {&ns16550_ops, AT(uart[0]), IF_UART0},
    {&ns16550_ops, AT(uart[1]), IF_UART1},
    {&ns16550_ops, AT(uart[2]), IF_UART2},
    {&ns16550_ops, AT(uart[3]), IF_UART3},
    {&i8042_ops, AT(kbc), ALWAYS},
    {&port61_ops, AT(port61), ALWAYS},
    {&port92_ops, AT(port92), ALWAYS},
    {&i8237_ops, AT(dma), ALWAYS},
    {&pc_coproc_ops, AT(coproc), ALWAYS},
    {&pci_host_ops, AT(pci), ALWAYS},
    {&i440fx_ops, AT(i440fx), ALWAYS},
    {&piix3_ops, AT(piix3), ALWAYS},
    {&piix4_pm_ops, AT(pm), ALWAYS},
    {&ioapic_ops, AT(ioapic), ALWAYS},
    {&fw_cfg_ops, AT(fw_cfg), ALWAYS},
    {&debugcon_ops, AT(debugcon), IF_DEBUGCON},
    {&isa_debug_exit_ops, AT(debug_exit), IF_DEBUG_EXIT},
    {&pc_testdev_ops, AT(testdev), IF_TESTDEV},
    {&vga_ops, AT(vga), IF_VGA},
    {&ide_ops, AT(ide_channel[0]), IF_IDE},
    {&ide_ops, AT(ide_channel[1]), IF_IDE},
    {&ide_function_ops, AT(ide), IF_IDE},
};

_Static_assert(ARRAY_LEN(chips) <= PC_CHIPS_MAX, "struct pc has a deadline for each");

/* Fixed addresses. The PM and SMBus ranges, the local APICs, the debug console and isa-debug-exit
 * place themselves. */
static const struct place {
    const struct dev_ops *ops;
    size_t at;
    enum bus_kind bus;
    uint32_t first, last;
    uint32_t base; /* offset of `first` in the chip */
    enum presence when;
} places[] = {
    {&i8237_ops, AT(dma), PORT, 0x000, 0x00f, 0x000, ALWAYS},
    {&i8259_ops, AT(pic), PORT, 0x020, 0x021, 0, ALWAYS},
    {&i8254_ops, AT(pit), PORT, 0x040, 0x043, 0, ALWAYS},
    {&i8042_ops, AT(kbc), PORT, 0x060, 0x060, 0, ALWAYS},
    {&port61_ops, AT(port61), PORT, 0x061, 0x061, 0, ALWAYS},
    {&i8042_ops, AT(kbc), PORT, 0x064, 0x064, 4, ALWAYS},
    {&mc146818_ops, AT(rtc), PORT, 0x070, 0x073, 0, ALWAYS},
    {&i8237_ops, AT(dma), PORT, 0x080, 0x08f, 0x200, ALWAYS},
    {&port92_ops, AT(port92), PORT, 0x092, 0x092, 0, ALWAYS},
    {&i8259_ops, AT(pic), PORT, 0x0a0, 0x0a1, 2, ALWAYS},
    {&piix4_apm_ops, AT(pm), PORT, 0x0b2, 0x0b3, 0, ALWAYS},
    {&i8237_ops, AT(dma), PORT, 0x0c0, 0x0df, 0x100, ALWAYS},
    {&pc_testdev_ops, AT(testdev), PORT, 0x0e0, 0x0e7, 0, IF_TESTDEV},
    {&pc_testdev_byte_ops, AT(testdev), PORT, 0x0e8, 0x0eb, 0, IF_TESTDEV},
    {&pc_coproc_ops, AT(coproc), PORT, 0x0f0, 0x0f1, 0, ALWAYS},
    {&ide_ops, AT(ide_channel[1]), PORT, 0x170, 0x177, 0, IF_IDE},
    {&ide_ops, AT(ide_channel[0]), PORT, 0x1f0, 0x1f7, 0, IF_IDE},
    {&ns16550_ops, AT(uart[3]), PORT, 0x2e8, 0x2ef, 0, IF_UART3},
    {&ns16550_ops, AT(uart[1]), PORT, 0x2f8, 0x2ff, 0, IF_UART1},
    {&ide_ops, AT(ide_channel[1]), PORT, 0x376, 0x376, 8, IF_IDE},
    {&ns16550_ops, AT(uart[2]), PORT, 0x3e8, 0x3ef, 0, IF_UART2},
    {&ide_ops, AT(ide_channel[0]), PORT, 0x3f6, 0x3f6, 8, IF_IDE},
    {&ns16550_ops, AT(uart[0]), PORT, 0x3f8, 0x3ff, 0, IF_UART0},
    {&vga_vbe_ops, AT(vga), PORT, 0x1ce, 0x1d1, 0, IF_VGA},
    {&vga_ops, AT(vga), PORT, 0x3b4, 0x3b5, 0x04, IF_VGA},
    {&vga_ops, AT(vga), PORT, 0x3ba, 0x3ba, 0x0a, IF_VGA},
    {&vga_ops, AT(vga), PORT, 0x3c0, 0x3cf, 0x10, IF_VGA},
    {&vga_ops, AT(vga), PORT, 0x3d4, 0x3d5, 0x24, IF_VGA},
    {&vga_ops, AT(vga), PORT, 0x3da, 0x3da, 0x2a, IF_VGA},
    {&i8259_ops, AT(pic), PORT, 0x4d0, 0x4d1, 4, ALWAYS},
    {&fw_cfg_ops, AT(fw_cfg), PORT, 0x510, 0x511, 0, ALWAYS},
    {&fw_cfg_dma_ops, AT(fw_cfg), PORT, 0x514, 0x51b, 0, ALWAYS},
    {&pci_host_ops, AT(pci), PORT, 0xcf8, 0xcff, 0, ALWAYS},
    {&pc_testdev_irq_ops, AT(testdev), PORT, 0x2000, 0x2017, 0, IF_TESTDEV},
    {&vga_mem_ops, AT(vga), MEM, 0xa0000, 0xbffff, 0, IF_VGA},
    {&ioapic_ops, AT(ioapic), MEM, IOAPIC_BASE, IOAPIC_BASE + 0xfff, 0, IF_APIC},
    {&pc_testdev_mem_ops, AT(testdev), MEM, 0xff000000, 0xff00ffff, 0, IF_TESTDEV},
};

/* The PCI functions. */
static const struct slot {
    size_t fn;
    unsigned devfn;
    enum presence when;
} slots[] = {
    {AT(i440fx.fn), PCI_DEVFN(0, 0), ALWAYS}, {AT(piix3.fn), PCI_DEVFN(1, 0), ALWAYS},
    {AT(ide.fn), PCI_DEVFN(1, 1), IF_IDE},    {AT(pm.fn), PCI_DEVFN(1, 3), ALWAYS},
    {AT(vga.fn), PCI_DEVFN(2, 0), IF_VGA},
};

bool pc_has_ide(const struct pc *pc)
{
    bool any = pc->cfg.ide_always;

    for (unsigned n = 0; n < ARRAY_LEN(pc->cfg.ide); n++)
        any |= pc->cfg.ide[n].kind != DRIVE_NONE;
    return any;
}

static bool present(const struct pc *pc, enum presence when)
{
    switch (when) {
    case IF_UART0:
    case IF_UART1:
    case IF_UART2:
    case IF_UART3:
        return pc->cfg.serial_present[when - IF_UART0];
    case IF_DEBUGCON:
        return pc->cfg.debugcon.send != NULL;
    case IF_DEBUG_EXIT:
        return pc->cfg.debug_exit_base >= 0;
    case IF_TESTDEV:
        return pc->cfg.testdev;
    case IF_VGA:
        return pc->cfg.vga_memory != NULL;
    case IF_IDE:
        return pc_has_ide(pc);
    case IF_APIC:
        return !pc->cfg.no_apic;
    default:
        return true;
    }
}

static void *member(struct pc *pc, size_t at)
{
    return (char *)pc + at;
}

size_t pc_size(void)
{
    return sizeof(struct pc);
}

static int fail(const char **why, const char *text)
{
    if (why)
        *why = text;
    return -1;
}

static int place_all(struct pc *pc, const char **why)
{
    for (unsigned i = 0; i < ARRAY_LEN(slots); i++)
        if (present(pc, slots[i].when) &&
            pci_add(&pc->pci, member(pc, slots[i].fn), slots[i].devfn))
            return fail(why, "two PCI functions have the same number");
    for (unsigned i = 0; i < ARRAY_LEN(places); i++) {
        const struct place *p = &places[i];
        struct bus *bus = p->bus == MEM ? pc->cfg.mem : pc->cfg.port;
        if (present(pc, p->when) &&
            bus_add(bus, p->first, p->last, p->ops, member(pc, p->at), p->base))
            return fail(why, p->when == IF_TESTDEV ? "pc-testdev needs an address that is taken"
                                                   : "two devices have the same address");
    }
    if (present(pc, IF_DEBUGCON)) {
        uint16_t port = pc->cfg.debugcon_port ? pc->cfg.debugcon_port : DEBUGCON_PORT;
        if (bus_add(pc->cfg.port, port, port, &debugcon_ops, &pc->debugcon, 0))
            return fail(why, "the port of the debug console is taken by another device");
    }
    if (pc->cfg.debug_exit_base >= 0) {
        uint64_t first = (uint64_t)pc->cfg.debug_exit_base;
        if (pc->cfg.debug_exit_size < 1 || pc->cfg.debug_exit_size > 4 ||
            first + (unsigned)pc->cfg.debug_exit_size > 0x10000)
            return fail(why, "isa-debug-exit: iobase or iosize is out of range");
        if (bus_add(pc->cfg.port, first, first + (unsigned)pc->cfg.debug_exit_size - 1,
                    &isa_debug_exit_ops, &pc->debug_exit, 0))
            return fail(why, "isa-debug-exit: its ports are taken by another device");
    }
    return 0;
}

int pc_init(struct pc *pc, const struct pc_config *cfg, const char **why)
{
    pc->cfg = *cfg;
    if (cfg->cpu_count < 1 || cfg->cpu_count > APIC_MAX_CPUS)
        return fail(why, "between 1 and 8 CPUs are possible");
    if (cfg->cpu_count > 1 && cfg->no_apic)
        return fail(why, "several CPUs need local APICs");
    if (pc_wires_connect(pc, why) || place_all(pc, why))
        return -1;
    if (pc_fw_cfg_files(pc))
        return fail(why, "fw_cfg has too many files");
    pc->ready = true;
    pc_reset(pc, 0);
    return 0;
}

void pc_reset(struct pc *pc, ns_t now)
{
    for (unsigned i = 0; i < ARRAY_LEN(chips); i++)
        if (chips[i].ops->reset && present(pc, chips[i].when))
            chips[i].ops->reset(member(pc, chips[i].at));
    for (unsigned cpu = 0; cpu < pc->cfg.cpu_count; cpu++)
        lapic_ops.reset(&pc->lapic[cpu]);
    if (pc->cfg.no_apic) /* LINT0 is the CPU's INTR pin then */
        lapic_set_hw_enabled(&pc->lapic[0], false);
    pc_apic_window_update(pc, !pc->cfg.no_apic, LAPIC_DEFAULT_BASE);
    if (pc->cfg.firmware)
        pc_cmos_setup(pc);
    else
        pc_firmware_setup(pc, now);
}

void pc_restarted(struct pc *pc)
{
    memset(pc->cfg.boot.once, 0, sizeof pc->cfg.boot.once);
}

const struct dev_ops *pc_chip(const struct pc *pc, unsigned n, const void **dev)
{
    for (unsigned i = 0; i < ARRAY_LEN(chips); i++)
        if (present(pc, chips[i].when) && !n--) {
            *dev = (const char *)pc + chips[i].at;
            return chips[i].ops;
        }
    return NULL;
}

ns_t pc_due(const struct pc *pc, const void *chip)
{
    for (unsigned i = 0; i < ARRAY_LEN(chips); i++)
        if ((const char *)pc + chips[i].at == chip)
            return pc->due[i];
    return NS_NEVER;
}

struct completion_queue *pc_completions(struct pc *pc)
{
    return &pc->completions;
}

ns_t pc_run_until(struct pc *pc, ns_t now)
{
    ns_t next =
        completion_deliver(&pc->completions, now, COMPLETIONS_AT_ONCE) == COMPLETIONS_AT_ONCE
            ? now
            : NS_NEVER;

    for (unsigned i = 0; i < ARRAY_LEN(chips); i++) {
        ns_t due = NS_NEVER;
        if (chips[i].ops->run_until && present(pc, chips[i].when))
            due = chips[i].ops->run_until(member(pc, chips[i].at), now);
        pc->due[i] = due;
        next = due < next ? due : next;
    }
    for (unsigned cpu = 0; cpu < pc->cfg.cpu_count; cpu++) {
        ns_t due = lapic_ops.run_until(&pc->lapic[cpu], now);
        next = due < next ? due : next;
    }
    return next;
}

unsigned pc_serial_room(struct pc *pc, unsigned n)
{
    return n < 4 && pc->cfg.serial_present[n] ? ns16550_room(&pc->uart[n]) : 0;
}

void pc_serial_receive(struct pc *pc, unsigned n, const uint8_t *bytes, unsigned len, ns_t now)
{
    if (n < 4 && pc->cfg.serial_present[n])
        ns16550_receive(&pc->uart[n], bytes, len, now);
}

void pc_serial_break(struct pc *pc, unsigned n, ns_t now)
{
    if (n < 4 && pc->cfg.serial_present[n])
        ns16550_break(&pc->uart[n], now);
}

void pc_flush(struct pc *pc)
{
    for (unsigned n = 0; n < 4; n++)
        if (pc->cfg.serial_present[n])
            ns16550_flush(&pc->uart[n]);
    if (pc->cfg.debugcon.send)
        debugcon_flush(&pc->debugcon);
}

const struct vga *pc_vga(const struct pc *pc)
{
    return present(pc, IF_VGA) ? &pc->vga : NULL;
}

struct blockdev_sink pc_drive_sink(struct pc *pc, unsigned n)
{
    return ide_sink(&pc->ide_channel[n >> 1 & 1], n & 1);
}

void pc_power_button(struct pc *pc, ns_t now)
{
    (void)now;
    piix4_pm_power_button(&pc->pm);
}
