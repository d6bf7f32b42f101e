"""The command line: `edgeflow COMMAND`. Commands import what they need when they run."""

from __future__ import annotations

import contextlib
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from edgeflow import __version__
from edgeflow.cli import examples
from edgeflow.cli.outcome import is_debugging, run_command, tell_error
from edgeflow.errors import ExitCode

app = typer.Typer(
    name="edgeflow",
    help="From data and the name of an embedded target to a verified, deployable artifact.",
    epilog=examples.ROOT,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
targets = typer.Typer(help="Targets: devices that edgeflow builds for.", no_args_is_help=True)
profiles = typer.Typer(help="Profiles: what operators cost on a device.", no_args_is_help=True)
app.add_typer(targets, name="targets")
app.add_typer(profiles, name="profiles")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="A name, or the path of a file.")]
Files = Annotated[list[Path], typer.Argument(metavar="FILE", help="Files to check.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """From data and the name of an embedded target to a verified, deployable artifact."""


@app.command(epilog=examples.BUILD, short_help="Build a verified artifact for a target.")
def build(
    target: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A target (`edgeflow targets list`), or the path of a target file (default: "
            "cortex-m4). May be given several times: what they share is made once.",
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE",
            help="`digits`; class folders of PNG, JPEG or WAV files, or a zip of them; .npz; a "
            "folder of CIFAR-10 or MNIST files (default: digits).",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="A network's name (below); FILE.tflite (int8); FILE.onnx (float or QDQ); "
            "module:attribute (default: small).",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Configuration file (default: edgeflow.toml, if it is there)."
        ),
    ] = None,
    run_dir: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the build lives (default: runs/TARGET)."),
    ] = None,
    budget: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="flash=64KiB, ram=16KiB, instructions=500k, latency=2ms, rmse=0.1 (at most), "
            "accuracy=0.95, auc=0.9 (at least). "
            "May be given once for each name.",
        ),
    ] = None,
    grow: Annotated[
        bool,
        typer.Option(
            "--grow",
            help="Grow a tiny network until it reaches the budget's accuracy, or no more fits.",
        ),
    ] = False,
    search: Annotated[
        bool,
        typer.Option(
            "--search",
            help="Choose operator, width and weight bits of every cell within the budget.",
        ),
    ] = False,
    seed: Annotated[
        int | None,
        typer.Option(metavar="N", help="Seed of split, network and training (default: 0)."),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="`edgeflow`: generated code; `tflm`: your checkouts of TensorFlow Lite Micro and "
            "CMSIS-NN, to compare with; on Linux also `litert`, `onnxruntime` and `tvm` "
            "(default: edgeflow; on Linux the fastest of all that the device has).",
        ),
    ] = None,
    tflm_path: Annotated[
        str | None, typer.Option(metavar="DIR", help="Checkout of TFLM, for --engine tflm.")
    ] = None,
    cmsis_nn_path: Annotated[
        str | None, typer.Option(metavar="DIR", help="Checkout of CMSIS-NN, for --engine tflm.")
    ] = None,
    tflm_include: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DIR",
            help="A folder of headers that TFLM needs and that its own downloads lack. May be "
            "given several times.",
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="A board that runs and times the artifact of a Linux target: "
            "ssh://[user@]host[:port] (default: this machine, or an emulator).",
        ),
    ] = None,
    style: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="For FPGAs: `folded`, layers one after another on shared lanes, or `spatial`, "
            "every product in logic of its own (default: folded).",
        ),
    ] = None,
    lanes: Annotated[
        str | None,
        typer.Option(
            metavar="N",
            help="For folded designs on FPGAs: how many lanes multiply in a cycle, or `auto`, as "
            "many as make the network fastest on the device (default: the target's).",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done; write nothing.")
    ] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> int:
    """Build a verified artifact for a target; what an earlier build finished is used again."""
    from edgeflow.cli.build import BuildRequest, EngineRequest, run_build, show_plan

    chosen = EngineRequest(engine, tflm_path, cmsis_nn_path, tuple(tflm_include or ()))
    request = BuildRequest(
        tuple(target or ()),
        data,
        model,
        config,
        run_dir,
        tuple(budget or ()),
        seed,
        chosen,
        grow,
        search,
        device,
        style,
        lanes,
    )
    return show_plan(request, as_json) if dry_run else run_build(request, as_json)


@app.command(short_help="Check a bundle again, from its files to the device.")
def verify(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle directory.")],
    device: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="A board that runs a Linux artifact: ssh://[user@]host[:port]."
        ),
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> int:
    """Check a bundle again: files, model, artifact on the device, scores, counts."""
    from edgeflow.cli.artifacts import run_verify

    return run_verify(bundle, device, as_json)


@app.command()
def report(
    directory: Annotated[
        Path, typer.Argument(metavar="RUN_OR_BUNDLE", help="A run directory or a bundle.")
    ],
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the report there, rendered anew.")
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> int:
    """Show the figures of a build, and where its report is."""
    from edgeflow.cli.artifacts import run_report

    return run_report(directory, output, as_json)


@targets.command("list")
def targets_list(as_json: AsJson = False, debug: Debug = False) -> int:
    """Names of all targets."""
    from edgeflow.cli.registries import list_targets

    return list_targets(as_json)


@targets.command("show")
def targets_show(name: Name, as_json: AsJson = False, debug: Debug = False) -> int:
    """A target, resolved."""
    from edgeflow.cli.registries import show_target

    return show_target(name, as_json)


@targets.command("validate")
def targets_validate(files: Files, as_json: AsJson = False, debug: Debug = False) -> int:
    """Check target files."""
    from edgeflow.cli.registries import validate_targets

    return validate_targets(files, as_json)


@profiles.command("list")
def profiles_list(as_json: AsJson = False, debug: Debug = False) -> int:
    """Names of all profiles."""
    from edgeflow.cli.registries import list_profiles

    return list_profiles(as_json)


@profiles.command("show")
def profiles_show(name: Name, as_json: AsJson = False, debug: Debug = False) -> int:
    """A profile, whole."""
    from edgeflow.cli.registries import show_profile

    return show_profile(name, as_json)


@profiles.command("validate")
def profiles_validate(files: Files, as_json: AsJson = False, debug: Debug = False) -> int:
    """Check profile files."""
    from edgeflow.cli.registries import validate_profiles

    return validate_profiles(files, as_json)


@profiles.command("diff")
def profiles_diff(
    first: Name,
    second: Name,
    as_json: AsJson = False,
    debug: Debug = False,
) -> int:
    """What two profiles say differently."""
    from edgeflow.cli.profile import run_diff

    return run_diff(first, second, as_json)


@app.command(
    epilog=examples.PROFILE, short_help="Measure what the operators of a search cost on a target."
)
def profile(
    target: Annotated[
        str, typer.Option(metavar="NAME", help="A target, or the path of a target file.")
    ],
    network: Annotated[
        list[str],
        typer.Option(
            metavar="NETWORK",
            help="The network whose cells are searched: a name, FILE.json, module:attribute. May "
            "be given several times.",
        ),
    ],
    input_shape: Annotated[
        str | None,
        typer.Option("--input", metavar="HxWxC", help="Shape of the input of a named network."),
    ] = None,
    outputs: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Outputs of a named network.")
    ] = None,
    name: Annotated[str, typer.Option(metavar="NAME", help="The name of the profile.")] = "search",
    folder: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Where TARGET/NAME.json is written, or added to."),
    ] = Path("profiles"),
    held_out: Annotated[
        int,
        typer.Option(metavar="N", min=0, help="Random networks that check the sums of rows."),
    ] = 100,
    device: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="A board to measure on: ssh://[user@]host[:port]."),
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> int:
    """Measure every candidate operator of a search on a target; only what is missing."""
    from edgeflow.cli.profile import ProfileArguments, run_profile

    arguments = ProfileArguments(
        target, tuple(network), input_shape, outputs, name, folder, held_out, device
    )
    return run_profile(arguments, as_json)


@app.command(short_help="What this machine has of what edgeflow needs.")
def doctor(as_json: AsJson = False, debug: Debug = False) -> int:
    """What this machine has of what edgeflow needs, and what to do about the rest."""
    from edgeflow.cli.setup import run_doctor

    return run_doctor(as_json)


@app.command()
def init(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write it.")] = Path(),
    as_json: AsJson = False,
    debug: Debug = False,
) -> int:
    """Write a commented edgeflow.toml; never over another one."""
    from edgeflow.cli.setup import run_init

    return run_init(directory, as_json)


def main() -> None:
    """Entry point of the `edgeflow` program; asked to terminate, it ends as if interrupted."""
    for asked in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(asked) is not signal.SIG_IGN:  # as `nohup` and shells set it
            signal.signal(asked, signal.default_int_handler)
    try:
        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # while an error was being told
        code = run_command(_interrupted, as_json="--json" in sys.argv, debug=False)
    sys.exit(code)


def _interrupted() -> int:
    raise KeyboardInterrupt


def run(arguments: list[str]) -> int:
    """Run the command line with arguments; the exit code."""
    as_json, debug = "--json" in arguments, is_debugging(arguments)

    def command() -> int:
        try:
            # What libraries print belongs to the messages, never into our answer.
            with contextlib.redirect_stdout(sys.stderr) if _has_answer(arguments) else _nothing():
                code: Any = app(arguments, prog_name="edgeflow", standalone_mode=False)
        except TyperException as error:
            if error.exit_code != ExitCode.USAGE:
                raise
            message = error.format_message()
            if message.startswith("Usage:"):  # no command given
                print(message, file=sys.stderr)
                message = "which command?"
            hint = "`edgeflow COMMAND --help` lists the options"
            tell_error(ExitCode.USAGE, message, hint, as_json=as_json)
            return int(ExitCode.USAGE)
        if code == ExitCode.INTERRUPTED:
            raise KeyboardInterrupt
        return int(code or ExitCode.OK)

    return run_command(command, as_json=as_json, debug=debug)


def _has_answer(arguments: list[str]) -> bool:
    return bool(arguments) and not {"--help", "--version"} & set(arguments)


def _nothing() -> contextlib.AbstractContextManager[None]:
    return contextlib.nullcontext()
