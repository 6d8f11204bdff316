"""A seeded simulation of the whole product: many users, several days, and everything going wrong that can.

    history     what is asked for, by whom and when: drawn from the seed, or cut down by `shrink`
    scheduler   one thread, one simulated clock; an invocation gives way at each call that leaves the process
    faults      what may befall such a call, and which ones are struck: by the seed, or by a list
    world       Firestore, OpenAI, Storage and messaging, every call to them through the scheduler and the faults
    actions     the use cases as the app, Cloud Scheduler, OpenAI's webhooks and operators call them
    quiet       afterwards: no faults any more, only the crons, until nothing is left to do
    watch       what must be true at every moment: the budget, looked at after each write
    checks      what must be true in the end, from documents, Storage and OpenAI's side; `schema` is the table of fields
    mutations   known ways of breaking the code, each of which the checks have to notice
    places      where in a function's syntax tree each of them breaks it

`docs/simulation.md` tells what is simulated and how to replay a seed.
"""
