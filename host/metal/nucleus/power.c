/* SPDX-License-Identifier: MIT */
/* power.c - see power.h. */
#include "host/metal/nucleus/power.h"

#include "host/metal/nucleus/console.h"
#include "host/metal/nucleus/insn.h"

#define PCI_ADDRESS 0xcf8
#define PCI_DATA    0xcfc
#define PIIX4_PM    0x71138086u
#define ICH9_LPC    0x29188086u
#define PM_BASE     0x40u
#define PM_CONTROL  4u
#define SLEEP_S5    0x2000u /* SLP_EN with SLP_TYP 0: both chipsets' soft off in QEMU and Bochs */

static uint32_t pci_read(unsigned device, unsigned function, unsigned reg)
{
    uint32_t v, at = 0x80000000u | device << 11 | function << 8 | reg;

    __asm__ volatile("outl %0, %w1" : : "a"(at), "Nd"(PCI_ADDRESS));
    __asm__ volatile("inl %w1, %0" : "=a"(v) : "Nd"(PCI_DATA));
    return v;
}

_Noreturn void power_off(void)
{
    for (unsigned device = 0; device < 32; device++)
        for (unsigned function = 0; function < 8; function++) {
            uint32_t id = pci_read(device, function, 0);
            if (id == PIIX4_PM || id == ICH9_LPC) {
                uint32_t base = pci_read(device, function, PM_BASE) & 0xffc0;
                if (base)
                    out16((uint16_t)(base + PM_CONTROL), SLEEP_S5);
            }
        }
    /* Bochs takes this word on a port of its own. */
    for (const char *p = "Shutdown"; *p; p++)
        out8(0x8900, (uint8_t)*p);
    console_say("this machine's way of turning itself off is not known; it can be turned off now");
    stop();
}
