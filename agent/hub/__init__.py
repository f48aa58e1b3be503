"""The agency's end: keys and roles, devices, lists. What it publishes is a folder of static files.

Layout of the hub folder (0700):

    hub.sqlite            settings, devices, tokens, which device could read which list
    keys/                 authorisations, lists, commands, snapshot, timestamp, release
    keys/offline/         root, targets and policy, unless `--offline-dir` named another place
    public/metadata/      TUF metadata
    public/targets/       what it names
"""
