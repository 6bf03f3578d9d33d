/* SPDX-License-Identifier: MIT */
/*
 * process.c - processes: their life from spawn to wait, and the round-robin scheduler.
 *
 * Invariant  A process that is not running rests in stack_switch() on its own kernel stack; the
 *            scheduler rests on the boot stack while a process runs. A zombie keeps its stack and
 *            directory until its parent waits for it.
 */
#include "kernel/kernel.h"

struct elf_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version, entry, phoff, shoff, flags;
    uint16_t ehsize, phentsize, phnum;
};

struct elf_segment {
    uint32_t type, offset, vaddr, paddr, filesz, memsz, flags, align;
};

#define ELF_LOAD          1u
#define ELF_WRITABLE      2u
#define QUANTUM           2u /* ticks */
#define STACK_SWITCH_SAVE 4  /* registers that stack_switch() pops */

struct process *current;
bool want_switch;

static struct process table[PROCESS_MAX];
static int last_pid;
static uint32_t scheduler_esp;

/* Copies the programs' image into a space. */
static bool image_load(uint32_t *space)
{
    const struct elf_header *header = (const struct elf_header *)user_image;
    const struct elf_segment *segment = (const struct elf_segment *)(user_image + header->phoff);

    for (unsigned i = 0; i < header->phnum; i++, segment++) {
        if (segment->type != ELF_LOAD)
            continue;
        for (uint32_t done = 0; done < segment->memsz; done += PAGE_SIZE) {
            uint32_t frame = space_add(space, segment->vaddr + done, segment->flags & ELF_WRITABLE);
            uint32_t left = done < segment->filesz ? segment->filesz - done : 0;
            if (!frame)
                return false;
            memcpy((void *)frame, user_image + segment->offset + done,
                   left < PAGE_SIZE ? left : PAGE_SIZE);
        }
    }
    return true;
}

/* The first page of the user stack: the argument's text, and user_start's two words. Returns ESP or
 * 0. */
static uint32_t user_stack_make(uint32_t *space, uint32_t function, const char *argument)
{
    uint32_t frame = space_add(space, USER_STACK_END - PAGE_SIZE, true);
    uint32_t text = PAGE_SIZE - ARGUMENT_SIZE, words = text - 2 * sizeof(uint32_t);

    if (!frame)
        return 0;
    string_copy((char *)(frame + text), argument, ARGUMENT_SIZE);
    *(uint32_t *)(frame + words) = function;
    *(uint32_t *)(frame + words + 4) = USER_STACK_END - PAGE_SIZE + text;
    return USER_STACK_END - PAGE_SIZE + words;
}

static void process_free(struct process *p)
{
    if (p->space) {
        space_clear(p->space);
        frame_free((uint32_t)p->space);
    }
    if (p->kernel_stack)
        frame_free((uint32_t)p->kernel_stack);
    *p = (struct process){.state = FREE};
}

static struct process *process_find(int pid)
{
    for (struct process *p = table; p < table + PROCESS_MAX; p++)
        if (p->state != FREE && p->pid == pid)
            return p;
    return NULL;
}

int process_create(uint32_t function, const char *name, const char *argument)
{
    struct process *p = table;
    uint32_t user_esp = 0;

    while (p < table + PROCESS_MAX && p->state != FREE)
        p++;
    if (p == table + PROCESS_MAX)
        return ERROR;
    p->space = space_create();
    p->kernel_stack = (uint8_t *)frame_alloc();
    if (p->space && p->kernel_stack && image_load(p->space))
        user_esp = user_stack_make(p->space, function, argument);
    if (!user_esp) {
        process_free(p);
        return ERROR;
    }
    string_copy(p->name, name, sizeof p->name);

    struct frame *f = (struct frame *)(p->kernel_stack + PAGE_SIZE) - 1;
    f->eip = USER_BASE;
    f->cs = SELECTOR_USER_CODE;
    f->ds = f->es = f->fs = f->gs = f->ss = SELECTOR_USER_DATA;
    f->esp = user_esp;
    f->eflags = EFLAGS_IF;
    uint32_t *words = (uint32_t *)f;
    *--words = (uint32_t)trap_return;
    p->kernel_esp = (uint32_t)(words - STACK_SWITCH_SAVE);

    p->pid = ++last_pid;
    p->parent = current ? current->pid : 0;
    p->state = READY;
    return p->pid;
}

void process_yield(void)
{
    stack_switch(&current->kernel_esp, scheduler_esp);
}

void process_block(enum process_state state)
{
    current->state = state;
    process_yield();
}

/* Wakes all that wait in this way; each looks for itself whether its wait is over. */
void process_wake(enum process_state state)
{
    for (struct process *p = table; p < table + PROCESS_MAX; p++) {
        if (p->state == state) {
            p->state = READY;
            want_switch = true;
        }
    }
}

void process_exit(int status)
{
    struct process *me = current;

    if (me->pid == 1) {
        print("tiny: the shell ended\n");
        board_power(POWER_OFF);
    }
    space_use(NULL);
    space_clear(me->space);
    for (struct process *p = table; p < table + PROCESS_MAX; p++)
        if (p->parent == me->pid)
            p->parent = 1; /* orphans belong to the shell */
    me->status = status;
    process_wake(WAITING);
    process_block(ZOMBIE);
    panic("a zombie runs", NULL);
}

/* The child `pid`, or any that has ended; NULL when there is none of that kind. */
static struct process *child_find(int pid)
{
    for (struct process *p = table; p < table + PROCESS_MAX; p++)
        if (p->state != FREE && p->parent == current->pid &&
            (pid == WAIT_ANY ? p->state == ZOMBIE : p->pid == pid))
            return p;
    return NULL;
}

int process_wait(int pid, int *status)
{
    for (;;) {
        struct process *p = child_find(pid);
        if (!p || current->killed)
            return ERROR;
        if (p->state == ZOMBIE) {
            pid = p->pid;
            *status = p->status;
            process_free(p);
            return pid;
        }
        current->wait_for = pid;
        process_block(WAITING);
    }
}

int process_kill(int pid)
{
    struct process *p = pid == 1 ? NULL : process_find(pid);

    if (!p || p->state == ZOMBIE)
        return ERROR;
    p->killed = true;
    p->state = READY;
    want_switch = true; /* it ends before the caller runs again */
    return 0;
}

/* Ctrl-C: ends what the shell waits for; false when it waits for nothing. */
bool process_interrupt(void)
{
    const struct process *shell = process_find(1);

    return shell && shell->state == WAITING && process_kill(shell->wait_for) == 0;
}

void process_tick(void)
{
    system.ticks++;
    if (current)
        current->ticks++;
    else
        system.idle_ticks++;
    want_switch = want_switch || system.ticks % QUANTUM == 0;
    for (struct process *p = table; p < table + PROCESS_MAX; p++)
        if (p->state == SLEEPING && (int32_t)(system.ticks - p->wake_tick) >= 0)
            p->state = READY;
}

int process_describe(uint32_t slot, struct process_info *info)
{
    static const char *const names[] = {"free",    "ready",   "sleeping",
                                        "reading", "waiting", "zombie"};

    if (slot >= PROCESS_MAX)
        return ERROR;
    const struct process *p = &table[slot];
    if (p->state == FREE)
        return 0;
    info->pid = p->pid;
    info->parent = p->parent;
    info->ticks = p->ticks;
    info->pages = space_pages(p->space);
    string_copy(info->name, p->name, sizeof info->name);
    string_copy(info->state, p == current ? "running" : names[p->state], sizeof info->state);
    return 1;
}

/* Runs the next process that is ready, for ever; sleeps when none is. Interrupts come in only here
 * and in ring 3. */
void scheduler(void)
{
    for (struct process *p = table;;) {
        struct process *const last = p;
        do
            p = p + 1 == table + PROCESS_MAX ? table : p + 1;
        while (p->state != READY && p != last);
        if (p->state != READY) {
            __asm__ volatile("sti; hlt; cli" : : : "memory");
            continue;
        }
        want_switch = false;
        current = p;
        system.switches++;
        cpu_set_kernel_stack((uint32_t)p->kernel_stack + PAGE_SIZE);
        space_use(p->space);
        stack_switch(&scheduler_esp, p->kernel_esp);
        current = NULL;
    }
}
