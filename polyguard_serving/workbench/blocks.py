"""The page's parts and what each of them does; the views draw, the case remembers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from polyguard_env.environment.messages import PolyGuardAction
from polyguard_env.environment.scenarios import DIFFICULTIES, MOST_SCENARIOS, SUB_ENVIRONMENTS, make_id
from polyguard_env.errors import PolyGuardError
from polyguard_serving.policy.decisions import model_status
from polyguard_serving.policy.services import PolicyServices
from polyguard_serving.policy.types import ModelStatus
from polyguard_serving.workbench import inputs
from polyguard_serving.workbench.case import Case, of_scenario
from polyguard_serving.workbench.ndc import NdcDirectory
from polyguard_serving.workbench.play import COMPARED, MODES, PLANNERS, advise, played, take_advice
from polyguard_serving.workbench.views import deciding, people, progress
from polyguard_serving.workbench.views import findings as findings_view
from polyguard_serving.workbench.views.words import words

EXAMPLE_DRUGS = """warfarin 5 mg daily for atrial fibrillation
amiodarone 200 mg daily for atrial fibrillation
ibuprofen 400 mg tid for osteoarthritis
simvastatin 40 mg at bedtime
citalopram 40 mg daily for depression
diazepam 10 mg at night for insomnia
metformin 1000 mg bid for diabetes"""
EXAMPLE_CONDITIONS = ["atrial_fibrillation", "hypertension", "diabetes", "depression", "osteoarthritis"]
EXAMPLE_LABS = "creatinine 1.4, potassium 4.9, inr 2.6, qtc 455"
HIDDEN: dict[str, Any] = {"api_visibility": "private", "show_progress": "minimal"}
STATE_SECONDS = 3600
WAITING = "<p class='pg-empty'>Choose a patient to begin.</p>"


def build_blocks(services: PolicyServices) -> Any:
    """The page's blocks, wired to the services."""
    import gradio as gr

    from polyguard_env.patients.condition_names import condition_ids

    with gr.Blocks(title="PolyGuard Patient Workbench", analytics_enabled=False, fill_width=True) as blocks:
        held = gr.State(None, time_to_live=STATE_SECONDS)
        gr.HTML(people.header())
        chip = gr.HTML(elem_id="pg-model")
        problem = gr.HTML(elem_id="pg-problem")
        with gr.Row(elem_classes="pg-main"):
            with gr.Column(scale=4, min_width=370, elem_classes="pg-side"):
                gr.HTML("<h2>1. Choose a patient</h2>")
                with gr.Tabs():
                    with gr.Tab("Form"):
                        with gr.Row():
                            age = gr.Number(81, label="Age (years)", precision=0, min_width=90)
                            sex = gr.Radio([("Woman", "F"), ("Man", "M")], value="F", label="Sex", min_width=140)
                        with gr.Row():
                            weight = gr.Number(62, label="Weight (kg)", min_width=90)
                            height = gr.Number(158, label="Height (cm)", min_width=90)
                        drugs = gr.Textbox(
                            EXAMPLE_DRUGS, lines=7, label="Drugs, one per line",
                            info="Any name; dose, how often and purpose if known",
                        )  # fmt: skip
                        conditions = gr.Dropdown(
                            [(words(name), name) for name in sorted(condition_ids())],
                            value=EXAMPLE_CONDITIONS, multiselect=True, label="Conditions",
                        )  # fmt: skip
                        labs = gr.Textbox(EXAMPLE_LABS, label="Labs", info="Name, number, unit: creatinine 130 umol/L")
                        allergies = gr.Textbox("", label="Allergies", info="Drug or class names, with commas")
                        use_form = gr.Button("Open this patient", variant="primary")
                    with gr.Tab("Scenario"):
                        kind = gr.Dropdown(
                            [(words(name.lower()), name) for name in SUB_ENVIRONMENTS], value=SUB_ENVIRONMENTS[0],
                            label="Kind of problem",
                        )  # fmt: skip
                        level = gr.Radio([(d.title(), d) for d in DIFFICULTIES], value="medium", label="Difficulty")
                        number = gr.Number(4, label=f"Number (0 to {MOST_SCENARIOS - 1})", precision=0)
                        use_scenario = gr.Button("Open this scenario", variant="primary")
                    with gr.Tab("List"):
                        plain = gr.Textbox(
                            "Coumadin, Advil, Zocor, clarithromycin", lines=5, label="Drugs",
                            info="Brands, generics or combinations, with commas or on lines",
                        )  # fmt: skip
                        use_list = gr.Button("Open this list", variant="primary")
                    with gr.Tab("FHIR"):
                        bundle = gr.File(label="FHIR R4 bundle", file_types=[".json"], height=130)
                        use_bundle = gr.Button("Open this bundle", variant="primary")
                        pasted = gr.Textbox(
                            "",
                            lines=5,
                            max_lines=12,
                            label="Or paste JSON",
                            info="A FHIR bundle, or a patient: age, sex, weight, height, regimen",
                        )
                        use_json = gr.Button("Open this JSON")
                    with gr.Tab("Scan"):
                        scan = gr.File(
                            label="Picture of a drug's barcode", file_types=[".png", ".jpg", ".jpeg"], height=130
                        )
                        use_scan = gr.Button("Read this picture", variant="primary")
                        gr.HTML(
                            "<p class='pg-hint'>NDC, UPC or GS1 DataMatrix of a package sold in the United States.</p>"
                        )
            with gr.Column(scale=9, min_width=480):
                person = gr.HTML(WAITING, elem_classes="pg-card")
                regimen = gr.HTML(elem_classes="pg-card")
                with gr.Row(equal_height=False):
                    with gr.Column(scale=6, min_width=420):
                        gr.HTML("<h2>2. Interactions</h2>")
                        picture = gr.HTML(elem_classes="pg-card")
                        decision = gr.HTML(elem_classes="pg-card", elem_id="pg-decision")
                    with gr.Column(scale=5, min_width=380):
                        gr.HTML("<h2>3. Decide</h2>")
                        with gr.Row():
                            planner = gr.Radio(
                                list(PLANNERS), value=next(iter(PLANNERS)), label="Who decides", min_width=170
                            )
                            mode = gr.Dropdown(
                                list(MODES), value=next(iter(MODES)), label="How the agents work", min_width=170
                            )
                        with gr.Row():
                            ask = gr.Button("Ask", variant="primary", min_width=90)
                            accept = gr.Button("Take proposal", min_width=150)
                        action = gr.Radio([], label="Or choose an action yourself", elem_classes="pg-actions")
                        with gr.Row():
                            take = gr.Button("Take choice", min_width=150)
                            finish = gr.Button("Play to the end", min_width=150)
                            restart = gr.Button("Start again", min_width=110)
                gr.HTML("<h2>Findings</h2>")
                findings = gr.HTML(elem_classes="pg-card")
                gr.HTML("<h2>4. Course</h2>")
                course = gr.HTML(elem_classes="pg-card")
                gr.HTML("<h2>5. Compare two policies</h2>")
                with gr.Row(elem_classes="pg-bottom"):
                    first = gr.Dropdown(list(COMPARED), value="No change", label="Policy A", min_width=170)
                    second = gr.Dropdown(
                        list(COMPARED), value="Agents, lightweight debate", label="Policy B", min_width=170
                    )
                    compare = gr.Button("Compare", variant="primary", min_width=110)
                side_by_side = gr.HTML(
                    "<p class='pg-empty'>Both start from the case as it was opened.</p>", elem_classes="pg-card"
                )
                export = gr.HTML()

        drawn = [held, chip, problem, person, regimen, picture, findings, action, decision, course, export]

        async def everything(case: Case | None, trouble: Exception | None = None) -> dict[Any, Any]:
            """Every part as the case now stands."""
            return await asyncio.to_thread(as_it_stands, case, trouble, await model_status(services))

        def as_it_stands(case: Case | None, trouble: Exception | None, status: ModelStatus) -> dict[Any, Any]:
            shown: dict[Any, Any] = {held: case, chip: people.chip(status), problem: people.error(trouble)}
            if case is None:
                return shown
            found = case.findings()
            options = [(c.text[:1].upper() + c.text[1:], c.candidate_id) for c in case.observation.candidates]
            return shown | {
                person: people.person(case),
                regimen: people.regimen(case),
                picture: people.picture(case, found),
                findings: findings_view.findings_table(found, case.env.knowledge),
                action: gr.Radio(choices=options, value=None, visible=bool(options)),
                decision: deciding.decision(case),
                course: progress.course(case),
                export: progress.export_link(case, status.model_dump(mode="json")),
            }

        def opening(make: Callable[..., Case]) -> Callable[..., Awaitable[dict[Any, Any]]]:
            async def opened(*given: Any) -> dict[Any, Any]:
                try:
                    return await everything(await asyncio.to_thread(make, *given)) | {side_by_side: _not_compared()}
                except PolyGuardError as error:
                    return {problem: people.error(error)}

            return opened

        def acting(act: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[dict[Any, Any]]]:
            async def acted(case: Case | None, *given: Any) -> dict[Any, Any]:
                try:
                    await act(_opened(case), *given)
                except PolyGuardError as error:
                    return await everything(case, error)
                return await everything(case)

            return acted

        async def on_ask(case: Case, who: str, how: str) -> None:
            await advise(services, case, PLANNERS[who], MODES[how])

        async def on_accept(case: Case) -> None:
            take_advice(case)

        async def on_take(case: Case, candidate_id: str | None) -> None:
            case.take(PolyGuardAction(candidate_id=case.candidate(candidate_id or "").candidate_id), "you")

        async def on_finish(case: Case, who: str, how: str) -> None:
            while not case.done:
                await advise(services, case, PLANNERS[who], MODES[how])
                take_advice(case)

        async def on_restart(case: Case) -> None:
            case.restart()

        async def on_compare(case: Case | None, one: str, other: str) -> dict[Any, Any]:
            try:
                runs = [await played(services, _opened(case), name) for name in (one, other)]
            except PolyGuardError as error:
                return {problem: people.error(error), side_by_side: _not_compared()}
            return {problem: "", side_by_side: progress.comparison((one, other), runs)}

        def by_form(*given: Any) -> Case:
            names = ("age", "sex", "weight", "height", "conditions")
            values: dict[str, Any] = dict(zip(names, given[:5], strict=True))
            values |= {"measurements": inputs.measurements_from(given[6]), "allergies": inputs.lines_of(given[7])}
            return inputs.from_form(values, given[5])

        def by_scenario(name: str, difficulty: str, place: float | None) -> Case:
            return of_scenario(make_id("train", name, difficulty, int(place or 0)))

        def by_bundle(path: str | None) -> Case:
            return inputs.from_fhir(_file(path, "a FHIR bundle"))

        def by_scan(path: str | None) -> Case:
            return inputs.from_barcode(_file(path, "a picture"), NdcDirectory(services.lake))

        form = [age, sex, weight, height, conditions, drugs, labs, allergies]
        opened_by: list[tuple[Any, Callable[..., Case], list[Any]]] = [
            (use_form, by_form, form),
            (use_scenario, by_scenario, [kind, level, number]),
            (use_list, inputs.from_drugs, [plain]),
            (use_bundle, by_bundle, [bundle]),
            (use_json, inputs.json_patient, [pasted]),
            (use_scan, by_scan, [scan]),
        ]
        for button, make, given in opened_by:
            button.click(opening(make), given, [*drawn, side_by_side], **HIDDEN)
        blocks.load(opening(by_form), form, [*drawn, side_by_side], **HIDDEN)
        acted_by: list[tuple[Any, Callable[..., Awaitable[None]], list[Any]]] = [
            (ask, on_ask, [planner, mode]),
            (accept, on_accept, []),
            (take, on_take, [action]),
            (finish, on_finish, [planner, mode]),
            (restart, on_restart, []),
        ]
        for button, act, given in acted_by:
            button.click(acting(act), [held, *given], drawn, **HIDDEN)
        compare.click(on_compare, [held, first, second], [problem, side_by_side], **HIDDEN)
    return blocks


def _opened(case: Case | None) -> Case:
    if case is None:
        raise PolyGuardError("patient", "none", "open a patient first")
    return case


def _file(path: str | None, what: str) -> Path:
    if not path:
        raise PolyGuardError("file", "none", f"choose {what} first")
    return Path(path)


def _not_compared() -> str:
    return "<p class='pg-empty'>Both start from the case as it was opened.</p>"
