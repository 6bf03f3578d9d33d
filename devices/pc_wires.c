/* SPDX-License-Identifier: MIT */
/*
 * pc_wires.c - the board's wires: who hears whom.
 *
 *   ISA line n --+--> 8259 pair --- INTR --+--> LINT0 of CPU 0's local APIC --> INTR of CPU 0
 *   PIRQ, SCI  --+--> I/O APIC pin n (line 0: pin 2)   +--> I/O APIC pin 0 (ExtINT)
 *
 * A line is the OR of its drivers. Local APICs and I/O APIC talk over the APIC bus (apicbus.c).
 */
#include "devices/pc_board.h"

static void isa_irq(void *board, unsigned pin, bool level)
{
    struct pc *pc = board;
    unsigned line = pin & 15;
    uint8_t bit = (uint8_t)(1u << (pin >> 8)), old = pc->irq_sources[line];
    uint8_t now = level ? old | bit : (uint8_t)(old & ~bit);

    pc->irq_sources[line] = now;
    if ((old != 0) == (now != 0))
        return;
    i8259_set_irq(&pc->pic, line, now != 0);
    if (line != 2) /* the cascade is nobody's input */
        ioapic_pin(&pc->ioapic, line ? line : 2, now != 0);
    if (line == 8)
        piix4_pm_rtc(&pc->pm, 0, now != 0);
}

/* pc-testdev names lines by I/O APIC numbering: 16 and up have no ISA line. */
static void testdev_irq(void *board, unsigned pin, bool level)
{
    struct pc *pc = board;

    if (pin < 16)
        isa_irq(pc, PC_IRQ_PIN(SRC_TESTDEV, pin), level);
    else
        ioapic_pin(&pc->ioapic, pin, level);
}

static void pic_intr(void *board, unsigned pin, bool level)
{
    struct pc *pc = board;

    (void)pin;
    lapic_pin(&pc->lapic[0], 0, level);
    ioapic_pin(&pc->ioapic, 0, level);
}

static void cpu_intr(void *board, unsigned cpu, bool level)
{
    struct pc *pc = board;

    if (pc->ready)
        pc->cfg.set_intr(pc->cfg.opaque, cpu, level);
}

static void cpu_nmi(void *board, unsigned cpu, bool level)
{
    struct pc *pc = board;

    if (level && pc->ready)
        pc->cfg.raise_nmi(pc->cfg.opaque, cpu);
}

static void cpu_init(void *board, unsigned cpu, bool level)
{
    struct pc *pc = board;

    if (level && pc->ready && pc->cfg.cpu_init)
        pc->cfg.cpu_init(pc->cfg.opaque, cpu);
}

static void cpu_sipi(void *board, unsigned cpu, uint8_t vector)
{
    struct pc *pc = board;

    if (pc->ready && pc->cfg.cpu_sipi)
        pc->cfg.cpu_sipi(pc->cfg.opaque, cpu, vector);
}

/* The last writer of the gate wins; the other chip's register follows. */
void pc_a20(void *board, unsigned pin, bool level)
{
    struct pc *pc = board;

    (void)pin;
    i8042_a20_follow(&pc->kbc, level);
    port92_a20_follow(&pc->port92, level);
    if (pc->ready)
        pc->cfg.set_a20(pc->cfg.opaque, level);
}

/* pin: enum pc_request. */
static void machine_request(void *board, unsigned pin, bool level)
{
    struct pc *pc = board;

    if (level && pc->ready)
        pc->cfg.request(pc->cfg.opaque, (enum pc_request)pin, 0);
}

static void debug_exit(void *board, uint32_t code)
{
    struct pc *pc = board;

    pc->cfg.request(pc->cfg.opaque, PC_DEBUG_EXIT, code);
}

static void kick(void *board, unsigned pin, bool level)
{
    struct pc *pc = board;

    (void)pin;
    if (level && pc->ready)
        pc->cfg.deadline_changed(pc->cfg.opaque);
}

static void set_shadow(void *board, uint64_t gpa, uint64_t len, bool read_ram, bool write_ram)
{
    struct pc *pc = board;

    if (pc->ready && gpa + len <= pc->cfg.ram_size)
        pc->cfg.set_shadow(pc->cfg.opaque, gpa, len, read_ram, write_ram);
}

/* Has the guest taken the last tick of line 0, whichever controller it listens to? */
static bool tick_taken(void *board)
{
    const struct pc *pc = board;

    if (ioapic_pin_open(&pc->ioapic, 2))
        return ioapic_pin_taken(&pc->ioapic, 2);
    /* An NMI is taken without an acknowledge. */
    return lapic_lint0_is_nmi(&pc->lapic[0]) || i8259_irq_taken(&pc->pic, 0);
}

void pc_ferr(struct pc *pc, bool level)
{
    if (level == pc->coproc.ferr)
        return;
    pc->coproc.ferr = level;
    pc->coproc.irq = level;
    isa_irq(pc, PC_IRQ_PIN(SRC_ISA, 13), level);
}

/* A write to 0xf0 or 0xf1 takes IRQ 13 back; the FPU's own FERR# stays until it is cleared
 * there. */
static void coproc_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    struct pc_coproc *c = dev;
    struct pc *pc = (struct pc *)((char *)dev - offsetof(struct pc, coproc));

    (void)off;
    (void)size;
    (void)val;
    (void)now;
    c->irq = false;
    isa_irq(pc, PC_IRQ_PIN(SRC_ISA, 13), false);
}

static void coproc_reset(void *dev)
{
    struct pc *pc = (struct pc *)((char *)dev - offsetof(struct pc, coproc));

    pc_ferr(pc, false);
}

/* What the code above counts on when the state comes from a file. */
static const struct state_rule rules[] = {
    STATE_BOOL(struct pc_coproc, ferr),
    STATE_BOOL(struct pc_coproc, irq),
};

const struct dev_ops pc_coproc_ops = {
    .name = "coprocessor",
    .state_size = sizeof(struct pc_coproc),
    .min_size = 1,
    .max_size = 1,
    .write = coproc_write,
    .reset = coproc_reset,
    .rules = rules,
    .rule_count = ARRAY_LEN(rules),
};

/* One window for all local APICs: each CPU sees its own. */
static uint32_t window_read(void *dev, uint32_t off, unsigned size, ns_t now)
{
    struct pc *pc = dev;

    return lapic_ops.read(&pc->lapic[pc->mmio_cpu], off, size, now);
}

static void window_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    struct pc *pc = dev;

    lapic_ops.write(&pc->lapic[pc->mmio_cpu], off, size, val, now);
}

static const struct dev_ops window_ops = {
    .name = "lapic",
    .min_size = 1,
    .max_size = 4,
    .read = window_read,
    .write = window_write,
};

/* Where the window would collide with another device it is not there; RAM it hides (SDM vol. 3A,
 * section 11.4.5: accesses to the page do not leave the CPU). */
void pc_apic_window_update(struct pc *pc, bool enabled, uint64_t base)
{
    if (pc->apic_window_mapped && (!enabled || base != pc->apic_window)) {
        bus_remove(pc->cfg.mem, pc->apic_window, pc);
        pc->apic_window_mapped = false;
    }
    pc->apic_window = base;
    if (enabled && !pc->apic_window_mapped)
        pc->apic_window_mapped = bus_add(pc->cfg.mem, base, base + 0xfff, &window_ops, pc, 0) == 0;
    if (pc->ready && pc->cfg.apic_at)
        pc->cfg.apic_at(pc->cfg.opaque, pc->apic_window_mapped ? base : UINT64_MAX);
}

/* NOTE: the window follows CPU 0; CPUs with different bases are not supported. */
void pc_apic_base_changed(struct pc *pc, unsigned cpu, uint64_t value)
{
    bool enabled = value >> 11 & 1;

    if (cpu >= pc->cfg.cpu_count)
        return;
    lapic_set_hw_enabled(&pc->lapic[cpu], enabled);
    if (cpu == 0)
        pc_apic_window_update(pc, enabled, value & 0xffffff000ull);
}

void pc_tsc_deadline_changed(struct pc *pc, unsigned cpu, uint64_t guest_tsc)
{
    if (cpu < pc->cfg.cpu_count)
        lapic_set_tsc_deadline(&pc->lapic[cpu], guest_tsc);
}

uint64_t pc_tsc_deadline(const struct pc *pc, unsigned cpu)
{
    return cpu < pc->cfg.cpu_count ? lapic_get_tsc_deadline(&pc->lapic[cpu]) : 0;
}

void pc_select_cpu(struct pc *pc, unsigned cpu)
{
    if (cpu < pc->cfg.cpu_count)
        pc->mmio_cpu = cpu;
}

int pc_intr_ack(struct pc *pc, unsigned cpu)
{
    int vector = cpu < pc->cfg.cpu_count ? lapic_ack(&pc->lapic[cpu]) : -1;

    return vector == LAPIC_EXTINT ? i8259_intack(&pc->pic) : vector;
}

static void connect_apics(struct pc *pc)
{
    pc->apic_bus.cpu_count = pc->cfg.cpu_count;
    pc->apic_bus.io = &pc->ioapic;
    pc->ioapic.bus = &pc->apic_bus;
    for (unsigned cpu = 0; cpu < pc->cfg.cpu_count; cpu++) {
        struct lapic *l = &pc->lapic[cpu];
        pc->apic_bus.cpu[cpu] = l;
        lapic_setup(l, cpu, pc->cfg.guest_tsc_khz, &pc->apic_bus);
        l->intr = (struct wire){cpu_intr, pc, cpu};
        l->nmi = (struct wire){cpu_nmi, pc, cpu};
        l->init = (struct wire){cpu_init, pc, cpu};
        l->kick = (struct wire){kick, pc, 0};
        l->sipi = cpu_sipi;
        l->sipi_target = pc;
    }
}

static void connect_pci(struct pc *pc)
{
    struct wire reset = {machine_request, pc, PC_RESET}, off = {machine_request, pc, PC_POWEROFF};
    struct wire deadline = {kick, pc, 0};

    pci_host_init(&pc->pci, pc->cfg.mem, pc->cfg.port);
    pc->pci.narrow_ops = &piix3_rcr_ops;
    pc->pci.narrow = &pc->piix3;
    for (unsigned n = 0; n < 4; n++)
        pc->pci.pirq[n] = (struct wire){piix3_pirq, &pc->piix3, n};
    i440fx_init(&pc->i440fx, pc->cfg.ram_size, set_shadow, pc);
    piix3_init(&pc->piix3, (struct wire){isa_irq, pc, PC_IRQ_PIN(SRC_PIRQ, 0)}, reset);
    pc->pm.smm_done = pc->cfg.firmware;
    piix4_pm_init(&pc->pm, (struct wire){isa_irq, pc, PC_IRQ_PIN(SRC_SCI, PC_SCI_IRQ)}, off,
                  deadline);
}

static void connect_fw_cfg(struct pc *pc)
{
    struct fw_cfg_config fw = {
        .ram_size = pc->cfg.ram_size,
        .cpu_count = pc->cfg.cpu_count,
        .nographic = pc->cfg.nographic,
        .boot_menu = pc->cfg.boot.menu,
        .cmdline = pc->cfg.cmdline,
        .kernel = pc->cfg.kernel,
        .initrd = pc->cfg.initrd,
        .kernel_size = pc->cfg.kernel_size,
        .initrd_size = pc->cfg.initrd_size,
        .dma = pc->cfg.dma,
    };

    if (pc->cfg.firmware) { /* what it would find there it would boot */
        fw.kernel = fw.initrd = NULL;
        fw.cmdline = NULL;
    }
    fw_cfg_init(&pc->fw_cfg, &fw);
}

/* COM1 and COM3 share line 4, COM2 and COM4 line 3. */
unsigned pc_uart_line(unsigned n)
{
    return n & 1 ? 3 : 4;
}

static int connect_ide(struct pc *pc, const char **why)
{
    const struct wire irq[2] = {{isa_irq, pc, PC_IRQ_PIN(SRC_ISA, 14)},
                                {isa_irq, pc, PC_IRQ_PIN(SRC_ISA, 15)}};

    if (!ide_init(&pc->ide, pc->ide_channel, pc->cfg.ide, &pc->cfg.dma, &pc->completions, irq))
        return 0;
    if (why)
        *why = "a disk has no sectors, or a geometry that cannot be";
    return -1;
}

int pc_wires_connect(struct pc *pc, const char **why)
{
    struct wire deadline = {kick, pc, 0}, a20 = {pc_a20, pc, 0};
    struct wire reset = {machine_request, pc, PC_RESET};

    i8259_init(&pc->pic, (struct wire){pic_intr, pc, 0});
    connect_apics(pc);
    i8254_init(&pc->pit, (struct wire){isa_irq, pc, PC_IRQ_PIN(SRC_ISA, 0)}, deadline, tick_taken,
               pc);
    mc146818_init(&pc->rtc, pc->cfg.wall_seconds,
                  (struct wire){isa_irq, pc, PC_IRQ_PIN(SRC_ISA, 8)}, deadline);
    for (unsigned n = 0; n < 4; n++)
        ns16550_init(&pc->uart[n], pc->cfg.serial[n],
                     (struct wire){isa_irq, pc,
                                   PC_IRQ_PIN(n < 2 ? SRC_ISA : SRC_ISA_SECOND, pc_uart_line(n))},
                     deadline);
    i8042_init(&pc->kbc, (struct wire){isa_irq, pc, PC_IRQ_PIN(SRC_ISA, 1)},
               (struct wire){isa_irq, pc, PC_IRQ_PIN(SRC_ISA, 12)}, a20, reset, deadline);
    port61_init(&pc->port61, &pc->pit, (struct wire){0});
    port92_init(&pc->port92, a20, reset);
    i8237_init(&pc->dma, &pc->cfg.dma);
    connect_pci(pc);
    connect_fw_cfg(pc);
    debugcon_init(&pc->debugcon, pc->cfg.debugcon, deadline);
    isa_debug_exit_init(&pc->debug_exit, debug_exit, pc);
    if (pc->cfg.vga_memory)
        vga_init(&pc->vga, pc->cfg.vga_memory, pc->cfg.vga_memory_size);
    if (pc->cfg.vga_frame.place)
        vga_map(&pc->vga, &pc->cfg.vga_frame, &pc->cfg.vga_bank);
    pc_testdev_init(&pc->testdev, (struct wire){testdev_irq, pc, 0});
    return connect_ide(pc, why);
}
