# The alarms, as a table. `over` is the threshold, `of` how many of the last `in` minutes must be beyond it.

locals {
  database = { DBClusterIdentifier = var.database.id }
  balancer = { LoadBalancer = var.edge.load_balancer }
  targets  = { LoadBalancer = var.edge.load_balancer, TargetGroup = var.edge.target_group }
  cluster  = { ClusterName = var.cluster_name }
  machine  = { StateMachineArn = var.engine.state_machine_arn }

  alarms = merge({
    alb-latency-p95       = { namespace = "AWS/ApplicationELB", metric = "TargetResponseTime", dimensions = local.balancer, stat = "p95", over = 0.5, of = 3, in = 5, says = "One answer in twenty takes longer than half a second." }
    alb-unhealthy         = { namespace = "AWS/ApplicationELB", metric = "UnHealthyHostCount", dimensions = local.targets, stat = "Maximum", over = 0, of = 5, in = 5, says = "Pods are not ready." }
    alb-refused           = { namespace = "AWS/ApplicationELB", metric = "RejectedConnectionCount", dimensions = local.balancer, stat = "Sum", over = 0, of = 1, in = 5, says = "The load balancer has no connections left." }
    pods-cpu              = { namespace = "ContainerInsights", metric = "pod_cpu_utilization_over_pod_limit", dimensions = merge(local.cluster, { Namespace = var.namespace }), stat = "Maximum", over = 80, of = 10, in = 15, says = "A pod uses up its processors." }
    pods-memory           = { namespace = "ContainerInsights", metric = "pod_memory_utilization_over_pod_limit", dimensions = merge(local.cluster, { Namespace = var.namespace }), stat = "Maximum", over = 85, of = 5, in = 10, says = "A pod is close to its memory limit and will be ended there." }
    pods-restarts         = { namespace = "ContainerInsights", metric = "pod_number_of_container_restarts", dimensions = merge(local.cluster, { Namespace = var.namespace }), stat = "Maximum", over = 3, of = 1, in = 5, says = "A container starts again and again." }
    nodes-disk            = { namespace = "ContainerInsights", metric = "node_filesystem_utilization", dimensions = local.cluster, stat = "Maximum", over = 80, of = 5, in = 5, says = "A machine's disk is nearly full." }
    nodes-failed          = { namespace = "ContainerInsights", metric = "cluster_failed_node_count", dimensions = local.cluster, stat = "Maximum", over = 0, of = 5, in = 5, says = "A machine has failed." }
    database-connections  = { namespace = "AWS/RDS", metric = "DatabaseConnections", dimensions = local.database, stat = "Maximum", over = floor(var.database.max_connections * 0.8), of = 3, in = 5, says = "Four fifths of the database's connections are taken." }
    database-capacity     = { namespace = "AWS/RDS", metric = "ACUUtilization", dimensions = local.database, stat = "Average", over = 90, of = 10, in = 15, says = "The database is at the top of its capacity." }
    database-memory       = { namespace = "AWS/RDS", metric = "FreeableMemory", dimensions = local.database, stat = "Minimum", under = 268435456, of = 10, in = 15, says = "The database has less than 256 MiB of memory left." }
    database-deadlocks    = { namespace = "AWS/RDS", metric = "Deadlocks", dimensions = local.database, stat = "Sum", over = 0, of = 3, in = 5, says = "Transactions lock each other out." }
    database-commits      = { namespace = "AWS/RDS", metric = "CommitLatency", dimensions = local.database, stat = "Average", over = 50, of = 5, in = 5, says = "Commits take longer than 50 ms." }
    database-load         = { namespace = "AWS/RDS", metric = "DBLoad", dimensions = local.database, stat = "Average", over = var.database.vcpus, of = 10, in = 15, says = "More sessions work at once than there are processors." }
    database-transactions = { namespace = "AWS/RDS", metric = "MaximumUsedTransactionIDs", dimensions = local.database, stat = "Maximum", over = 1000000000, of = 1, in = 5, says = "Vacuum does not keep up; at two billion the database stops." }
    executions-failed     = { namespace = "AWS/States", metric = "ExecutionsFailed", dimensions = local.machine, stat = "Sum", over = var.engine.failed_executions, of = 3, in = 15, says = "Unusually many executions fail. Files of people may be at fault; see the jobs' failure kinds." }
    executions-timed-out  = { namespace = "AWS/States", metric = "ExecutionsTimedOut", dimensions = local.machine, stat = "Sum", over = 0, of = 1, in = 5, says = "An execution ran out of time." }
    executions-throttled  = { namespace = "AWS/States", metric = "ExecutionThrottled", dimensions = local.machine, stat = "Sum", over = 0, of = 3, in = 5, says = "Step Functions slows executions down: its quota is used up." }
    executions-slow       = { namespace = "AWS/States", metric = "ExecutionTime", dimensions = local.machine, stat = "p95", over = var.engine.slow_executions_ms, of = 3, in = 15, says = "One execution in twenty takes unusually long: a queue of Batch that does not move, or steps that do more than before." }
    events-late           = { namespace = "AWS/SQS", metric = "ApproximateAgeOfOldestMessage", dimensions = { QueueName = var.engine.events_queue }, stat = "Maximum", over = 300, of = 5, in = 5, says = "Nobody reads what AWS tells: look at the consumer." }
    events-not-understood = { namespace = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = var.engine.dead_letter_queue }, stat = "Maximum", over = 0, of = 1, in = 5, says = "Events that nobody understood lie in the dead-letter queue." }
    certificate-origin    = { namespace = "AWS/CertificateManager", metric = "DaysToExpiry", dimensions = { CertificateArn = var.edge.certificate_arns.origin }, stat = "Minimum", under = 30, of = 1, in = 1440, says = "The load balancer's certificate ends within 30 days." }
    backups-failed        = { namespace = "AWS/Backup", metric = "NumberOfBackupJobsFailed", dimensions = { BackupVaultName = var.backup_vault }, stat = "Sum", over = 0, of = 1, in = 60, says = "A backup has failed." }
    }, var.database.has_reader ? {
    database-replica-behind = { namespace = "AWS/RDS", metric = "AuroraReplicaLagMaximum", dimensions = local.database, stat = "Maximum", over = 1000, of = 5, in = 5, says = "The reader is more than a second behind." }
    } : {}, {
    for rule in var.engine.event_rules : "rule-${rule}" => { namespace = "AWS/Events", metric = "FailedInvocations", dimensions = { RuleName = rule }, stat = "Sum", over = 0, of = 1, in = 5, says = "EventBridge cannot deliver what it has." }
    }, {
    for rule in var.engine.event_rules : "rule-slowed-${rule}" => { namespace = "AWS/Events", metric = "ThrottledRules", dimensions = { RuleName = rule }, stat = "Sum", over = 0, of = 3, in = 5, says = "EventBridge holds events back: its quota is used up." }
    }, {
    for rule in var.engine.event_rules : "rule-lost-${rule}" => { namespace = "AWS/Events", metric = "InvocationsFailedToBeSentToDlq", dimensions = { RuleName = rule }, stat = "Sum", over = 0, of = 1, in = 5, says = "EventBridge has lost an event: not even the dead-letter queue took it." }
  })

  edge_alarms = merge({
    cloudfront-5xx     = { namespace = "AWS/CloudFront", metric = "5xxErrorRate", dimensions = { DistributionId = var.edge.distribution, Region = "Global" }, stat = "Average", over = 1, of = 5, in = 5, says = "One answer in a hundred is an error." }
    waf-blocks         = { namespace = "AWS/WAFV2", metric = "BlockedRequests", dimensions = { WebACL = var.edge.web_acl, Rule = "ALL" }, stat = "Sum", over = 5000, of = 3, in = 15, says = "The firewall turns unusually many requests away." }
    certificate-viewer = { namespace = "AWS/CertificateManager", metric = "DaysToExpiry", dimensions = { CertificateArn = var.edge.certificate_arns.viewer }, stat = "Minimum", under = 30, of = 1, in = 1440, says = "The certificate that people see ends within 30 days." }
    }, {
    for id in var.edge.health_checks :
    "not-reached" => { namespace = "AWS/Route53", metric = "HealthCheckStatus", dimensions = { HealthCheckId = id }, stat = "Minimum", under = 1, of = 3, in = 5, silence = "breaching", says = "Whoever asks from outside gets no answer." }
    }, {
    for zone in var.edge.signed_zones :
    "zone-signing" => { namespace = "AWS/Route53", metric = "DNSSECInternalFailure", dimensions = { HostedZoneId = zone }, stat = "Maximum", over = 0, of = 1, in = 240, says = "The zone can no longer be signed; soon nobody who checks finds the name." }
    }, {
    for zone in var.edge.signed_zones :
    "zone-key" => { namespace = "AWS/Route53", metric = "DNSSECKeySigningKeysNeedingAction", dimensions = { HostedZoneId = zone }, stat = "Maximum", over = 0, of = 1, in = 240, says = "The zone's signing key waits for somebody, or for its key in KMS." }
  })
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "${each.value.says} docs/runbooks.md#${startswith(each.key, "rule-lost-") ? "rule-lost" : startswith(each.key, "rule-slowed-") ? "rule-slowed" : startswith(each.key, "rule-") ? "rule" : each.key}"
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = startswith(each.value.stat, "p") ? null : each.value.stat
  extended_statistic  = startswith(each.value.stat, "p") ? each.value.stat : null
  comparison_operator = try(each.value.under, null) == null ? "GreaterThanThreshold" : "LessThanThreshold"
  threshold           = try(each.value.under, each.value.over)
  period              = each.value.in >= 60 ? each.value.in * 60 : 60
  evaluation_periods  = each.value.in >= 60 ? 1 : each.value.in
  datapoints_to_alarm = each.value.of
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.here.arn]
  ok_actions          = [aws_sns_topic.here.arn]
}

resource "aws_cloudwatch_metric_alarm" "edge" {
  for_each = local.edge_alarms
  provider = aws.edge

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "${each.value.says} docs/runbooks.md#${each.key}"
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.stat
  comparison_operator = try(each.value.under, null) == null ? "GreaterThanThreshold" : "LessThanThreshold"
  threshold           = try(each.value.under, each.value.over)
  period              = each.value.in >= 60 ? each.value.in * 60 : 60
  evaluation_periods  = each.value.in >= 60 ? 1 : each.value.in
  datapoints_to_alarm = each.value.of
  treat_missing_data  = try(each.value.silence, "notBreaching")
  alarm_actions       = [aws_sns_topic.edge.arn]
  ok_actions          = [aws_sns_topic.edge.arn]
}

# A share, not a count: five errors are nothing among a million and everything among six.
resource "aws_cloudwatch_metric_alarm" "errors" {
  for_each = { alb = "HTTPCode_ELB_5XX_Count", pods = "HTTPCode_Target_5XX_Count" }

  alarm_name          = "${var.name}-5xx-${each.key}"
  alarm_description   = "More than one answer in a hundred is an error of ours. docs/runbooks.md#5xx-${each.key}"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 1
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.here.arn]
  ok_actions          = [aws_sns_topic.here.arn]

  metric_query {
    id          = "share"
    expression  = "IF(requests > 20, 100 * errors / requests, 0)"
    label       = "5xx in percent"
    return_data = true
  }

  metric_query {
    id = "errors"

    metric {
      namespace   = "AWS/ApplicationELB"
      metric_name = each.value
      dimensions  = local.balancer
      period      = 60
      stat        = "Sum"
    }
  }

  metric_query {
    id = "requests"

    metric {
      namespace   = "AWS/ApplicationELB"
      metric_name = "RequestCount"
      dimensions  = local.balancer
      period      = 60
      stat        = "Sum"
    }
  }
}
