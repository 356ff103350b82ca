"""Results of a judging made up for the report's tests, with hostile names throughout."""

from medpipe.genmedclip.judging.results import (
    Absent,
    Bin,
    ClassFigure,
    Comparison,
    Confusion,
    DomainMean,
    Figure,
    Judged,
    LeakRow,
    ModelEntry,
    Present,
    ProbeFigure,
    Reported,
    Results,
    TemplateFigure,
)
from medpipe.records import Domain
from tests.support.report_rows import HOSTILE

FIGURE = Figure(value=0.75, low=0.5, high=0.875, method="wilson")
NOTHING = Figure(value=None)
METRICS = ("balanced_accuracy", "accuracy", "macro_f1", "auroc", "map", "ece")


def results(text: str = "plain", *, more: str = "two") -> Results:
    """Results in which every free text is the given one."""
    models = [f"{text} model", f"{more} model"]
    judged = [
        Judged(
            model=model,
            dataset="a-set",
            domain=Domain.CT,
            task="zero_shot",
            primary_metric="accuracy",
            n=40,
            figures=dict.fromkeys(METRICS, FIGURE) | {"auroc": NOTHING},
            with_leaked=dict.fromkeys(METRICS, 0.8),
            chance={"accuracy": 0.5},
            majority={"accuracy": 0.6},
            centre={},
            templates=(TemplateFigure(template=text, value=0.7),),
            template_std=0.05,
            classes=(ClassFigure(name=text, n=3),),
            confusions=(Confusion(true=text, given=more, share=0.5, count=2, examples=(text,)),),
            reliability=(
                Bin(weight=3, confidence=0.8, right=0.7),
                Bin(weight=0, confidence=None, right=None),
            ),
            probes=(
                ProbeFigure(shots=None, value=0.9, low=0.8, high=0.95),
                ProbeFigure(shots=4, value=0.7, std=0.02, seeds=5),
            ),
        )
        for model in models
    ]
    return Results(
        suite="suite",
        suite_version="1",
        suite_title=text,
        medpipe_version="0",
        models=tuple(ModelEntry(name=m, fingerprint=f"{m} print", logit_scale=100) for m in models),
        trained_on=text,
        training_samples=7,
        rounds=1000,
        seed=0,
        present=(
            Present(
                dataset="a-set", title=text, domain=Domain.CT, task="zero_shot", licence=text,
                citation=text, fingerprint="0" * 64, pictures=50, groups=None,
                dropped={"broken_image": 2},
                leaks=(LeakRow(example=text, sample=more, kind="near", bits=3),),
            ),
        ),
        absent=(
            Absent(
                dataset="gone", title=text, domain=Domain.XRAY, task="zero_shot",
                reason="unreadable_dataset", detail=text, how_to_get=text, licence=text,
            ),
        ),
        judged=tuple(judged),
        domains=tuple(
            DomainMean(
                model=model, domain=domain, task="zero_shot", metric="balanced_accuracy",
                figure=FIGURE if domain in (Domain.CT, None, *list(Domain)[4:7]) else None,
                present=1, listed=2,
            )
            for model in models
            for domain in (*[d for d in Domain if d is not Domain.OTHER], None)
        ),
        comparisons=(
            Comparison(
                first=models[0], second=models[1], dataset="a-set", task="zero_shot",
                metric="accuracy", difference=Figure(value=-0.1, low=-0.2, high=0.01), p=0.04,
                p_holm=0.08,
            ),
        ),
        reported=(
            Reported(
                model=text, scope=text, metric="accuracy", value=61.6, citation=text, note=text
            ),
        ),
        reported_version="1",
    )  # fmt: skip


__all__ = ["HOSTILE", "results"]
