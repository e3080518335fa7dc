import re

from steel_defect_detection.web.metrics import Metrics


def lines(metrics):
    return metrics.text().decode().splitlines()


def test_requests_are_counted_by_path_and_status():
    metrics = Metrics()
    metrics.request("POST", "/predict", 200, 0.02)
    metrics.request("POST", "/predict", 200, 0.02)
    metrics.request("POST", "/predict", 503, 0.02)
    found = lines(metrics)
    assert 'sdd_requests_total{method="POST",path="/predict",status="200"} 2.0' in found
    assert 'sdd_requests_total{method="POST",path="/predict",status="503"} 1.0' in found
    assert 'sdd_request_seconds_count{path="/predict"} 3.0' in found


def test_paths_and_methods_that_somebody_invents_do_not_become_labels():
    metrics = Metrics()
    for number in range(50):
        metrics.request(f"BREW{number}", f"/{number}", 404, 0.1)
    found = [line for line in lines(metrics) if line.startswith("sdd_requests_total")]
    assert found == ['sdd_requests_total{method="other",path="other",status="404"} 50.0']


def test_images_are_counted_by_verdict_and_timed_by_stage():
    metrics = Metrics()
    metrics.image("clean", waited=3.0, judged=0.02)
    found = lines(metrics)
    assert 'sdd_images_total{verdict="clean"} 1.0' in found
    assert 'sdd_image_seconds_sum{stage="wait"} 3.0' in found
    assert 'sdd_image_seconds_bucket{le="0.025",stage="judge"} 1.0' in found


def test_what_changes_is_asked_for_when_it_is_wanted():
    metrics, numbers = Metrics(), {"queue": 1, "held": 10}
    metrics.watch(queue=lambda: numbers["queue"], held=lambda: numbers["held"])
    numbers["queue"] = 5
    assert "sdd_queue_images 5.0" in lines(metrics)
    assert "sdd_held_bytes 10.0" in lines(metrics)


def test_two_servers_of_one_process_do_not_share_their_counts():
    first, second = Metrics(), Metrics()
    first.image("clean", waited=0, judged=0)
    assert not re.search(r"sdd_images_total\{", second.text().decode())
